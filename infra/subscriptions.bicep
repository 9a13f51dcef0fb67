// Event Grid's subscriptions, deployed once the code is there: Event Grid asks the function app whether it takes
// events, and the key of the blob trigger's webhook is made when the host first loads the trigger.
param functionAppName string
param topicName string
param inboxTopicName string
param storageAccountName string

// Nothing depends on a long life of events: poll_runs takes blobs whose event never came, and announces again what was
// not recorded. What an hour of attempts did not deliver is kept, for a person to look at.
var retryPolicy = { maxDeliveryAttempts: 10, eventTimeToLiveInMinutes: 60 }
var deadLetters = {
  identity: { type: 'SystemAssigned' }
  deadLetterDestination: {
    endpointType: 'StorageBlob'
    properties: { resourceId: account.id, blobContainerName: 'dead-letters' }
  }
}

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

resource app 'Microsoft.Web/sites@2024-11-01' existing = {
  name: functionAppName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource inboxTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: inboxTopicName
}

// JobEnded → record_run. Event Grid finds the function's key itself.
resource jobEnded 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'record-run'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: {
      endpointType: 'AzureFunction'
      properties: {
        resourceId: '${app.id}/functions/record_run'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: { includedEventTypes: ['AzureBatchTaskRunner.JobEnded'] }
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: deadLetters
  }
}

// A new blob in the inbox → submit_run, by the webhook of the host's blob extension, which knows Event Grid's own
// schema. The key in its address is read by Azure itself, here: no shell and no log ever has it.
resource inbox 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: inboxTopic
  name: 'submit-run'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.submit_run&code=${listKeys('${app.id}/host/default', '2024-11-01').systemKeys.blobs_extension}'
        maxEventsPerBatch: 1
        preferredBatchSizeInKilobytes: 64
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      subjectBeginsWith: '/blobServices/default/containers/inbox/'
    }
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: deadLetters
  }
}
