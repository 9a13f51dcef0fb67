// Event Grid's subscriptions, deployed once the code is there: Event Grid asks the function app whether it takes
// events, and the key of the blob trigger's webhook is made when the host first loads the trigger.
param functionAppName string
param topicName string
param storageAccountName string
param workspaceId string

@description('The system topic of the storage account. There can be only one: infra/hooks/postdeploy finds or makes it.')
param inboxTopicName string

@description('Who the system topic is, when it writes dead letters.')
param inboxTopicPrincipalId string

// Nothing depends on a long life of events: poll_runs takes blobs whose event never came, and announces again what was
// not recorded, as it does with markers whose event never came. What an hour of attempts did not deliver is kept, for a
// person to look at.
var retryPolicy = { maxDeliveryAttempts: 10, eventTimeToLiveInMinutes: 60 }
var deadLetters = {
  identity: { type: 'SystemAssigned' }
  deadLetterDestination: {
    endpointType: 'StorageBlob'
    properties: { resourceId: account.id, blobContainerName: 'dead-letters' }
  }
}

// What the app takes from the inbox. The host loads every blob whose event it gets into memory, more than once: a large
// one that was dropped by mistake would stop it. What the filter keeps back is looked at by poll_runs, which rejects a
// manifest that is too large without reading it whole. Comparisons of strings ignore case; 25 filters with 25 values in
// all are allowed. https://learn.microsoft.com/azure/event-grid/event-filtering
var endings = ['.yaml', '.yml', '.json', '.cancel', '.retry']
var largestBytes = 1114112 // 1 MiB, which is the largest manifest, and 64 KiB

// What tasks leave when they have ended, beside what they print; a marker is not in the inbox, and a manifest never ends so.
// The container is not named: that of staging is a setting.
var markers = ['/task.ended', '/job.ended']

// Both kinds of events come one by one, as CloudEvents. Event Grid finds the function's key itself.
var recordRun = {
  endpointType: 'AzureFunction'
  properties: {
    resourceId: '${app.id}/functions/record_run'
    maxEventsPerBatch: 1
    preferredBatchSizeInKilobytes: 64
  }
}

var storageBlobDataContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource deadLetters 'containers' existing = { name: 'dead-letters' }
  }
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

// Event Grid: storage's own topic keeps what it could not deliver.
resource inboxDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::deadLetters.id, inboxTopicPrincipalId, storageBlobDataContributor)
  scope: account::blobs::deadLetters
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataContributor)
    principalId: inboxTopicPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// Failed deliveries, which docs/operate.md has alerts on.
resource inboxTopicLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log-analytics'
  scope: inboxTopic
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

// JobEnded → record_run. The topic has RunEnded too, for others to subscribe to (docs/events.md).
resource jobEnded 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'record-run'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: recordRun
    filter: { includedEventTypes: ['AzureBatchTaskRunner.JobEnded'] }
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: deadLetters
  }
}

// The marker of a task that has ended → record_run: Batch has no such events, but storage tells of the marker's upload.
resource taskEnded 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: inboxTopic
  name: 'task-ended'
  properties: {
    eventDeliverySchema: 'CloudEventSchemaV1_0'
    destination: recordRun
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      advancedFilters: [{ operatorType: 'StringEndsWith', key: 'Subject', values: markers }]
    }
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: deadLetters
  }
  dependsOn: [inboxDeadLetters]
}

// A new blob in the inbox → submit_run, by the webhook of the host's blob extension, which knows Event Grid's own
// schema. The key in its address is read by Azure itself, here: no shell and no log ever has it.
//
// It is made on the topic, not as an extension resource of the account: that would take whatever topic there is too, but
// the topic which Event Grid then makes by itself has no identity for dead letters, and storage accepts no keys.
// https://learn.microsoft.com/azure/event-grid/system-topics#lifecycle-of-system-topics
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
      advancedFilters: [
        { operatorType: 'StringEndsWith', key: 'Subject', values: endings }
        { operatorType: 'NumberLessThanOrEquals', key: 'data.contentLength', value: largestBytes }
      ]
    }
    retryPolicy: retryPolicy
    deadLetterWithResourceIdentity: deadLetters
  }
  dependsOn: [inboxDeadLetters]
}
