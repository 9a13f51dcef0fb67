// Who may do what, and why. Nothing here is wider than its reason; whoever is not named may do nothing.
param appPrincipalId string

@description('The nodes, if they reach staging by an identity; empty otherwise.')
param stagingPrincipalId string
param topicPrincipalId string
param userPrincipalId string
param userPrincipalType string
param storageAccountName string
param batchAccountName string
param topicName string
param insightsName string

// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
var role = {
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageBlobDataContributor: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe'
  storageBlobDataReader: '2a2b9908-6ea1-4ae2-8e65-a410df84e7d1'
  storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  batchJobSubmitter: '48e5e92e-a480-4e71-aa9c-2778f4c13781'
  batchAccountReader: '11076f67-66f6-4be0-8f6b-f0609fd05cc9'
  eventGridDataSender: 'd5a91429-5739-47e2-a06b-3470a27159e7'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
}

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource inbox 'containers' existing = { name: 'inbox' }
    resource runs 'containers' existing = { name: 'runs' }
    resource staging 'containers' existing = { name: 'staging' }
    resource results 'containers' existing = { name: 'results' }
    resource namespaces 'containers' existing = { name: 'namespaces' }
    resource flows 'containers' existing = { name: 'flows' }
    resource uploads 'containers' existing = { name: 'uploads' }
    resource deadLetters 'containers' existing = { name: 'dead-letters' }
  }
}

resource batch 'Microsoft.Batch/batchAccounts@2025-06-01' existing = {
  name: batchAccountName
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: topicName
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: insightsName
}

// The app: its seven containers and its package; the Functions host makes containers for locks and keys of its own, for
// which Microsoft asks for this role on the account. On the account it includes generateUserDelegationKey, with which the
// app makes the SAS that nodes get for staging.
resource appBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, role.storageBlobDataOwner)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataOwner)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: the blob trigger keeps its retries, and what it gives up, in queues that the host makes.
resource appQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, role.storageQueueDataContributor)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageQueueDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: the host writes its diagnostic events into a table that it makes.
resource appTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, role.storageTableDataContributor)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageTableDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: jobs and tasks, and a look at pools. It cannot change a pool, nor the account.
resource appBatch 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(batch.id, appPrincipalId, role.batchJobSubmitter)
  scope: batch
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.batchJobSubmitter)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: publishes JobEnded to this topic.
resource appTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(topic.id, appPrincipalId, role.eventGridDataSender)
  scope: topic
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.eventGridDataSender)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The app: sends its telemetry; Application Insights takes none without a token.
resource appInsights 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, appPrincipalId, role.monitoringMetricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.monitoringMetricsPublisher)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// The nodes, only where stagingAccess says so: no built-in role reads and writes without also deleting. Any task can use
// it, on the files and scripts of all open runs and on the container itself.
resource nodeStaging 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(stagingPrincipalId)) {
  name: guid(account::blobs::staging.id, stagingPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::staging
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: stagingPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// Event Grid: the topic keeps what it could not deliver. The same for storage's own topic is in subscriptions.bicep.
resource topicDeadLetters 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account::blobs::deadLetters.id, topicPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::deadLetters
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: topicPrincipalId
    principalType: 'ServicePrincipal'
  }
}

// A person: drops manifests and requests to cancel. Whoever may do that runs code on the pool, see SECURITY.md.
resource userInbox 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::inbox.id, userPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::inbox
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: keeps the namespace files that manifests use.
resource userNamespaces 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::namespaces.id, userPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::namespaces
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: keeps the stored flows. Whoever may do that decides what runs on a schedule, see SECURITY.md.
resource userFlows 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::flows.id, userPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::flows
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: uploads files for a run, and names them in the manifest.
resource userUploads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::uploads.id, userPrincipalId, role.storageBlobDataContributor)
  scope: account::blobs::uploads
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataContributor)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: reads results, and changes none.
resource userResults 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::results.id, userPrincipalId, role.storageBlobDataReader)
  scope: account::blobs::results
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataReader)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: sees which runs are open, and their documents. What those hold beside the record is in SECURITY.md.
resource userRuns 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(account::blobs::runs.id, userPrincipalId, role.storageBlobDataReader)
  scope: account::blobs::runs
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.storageBlobDataReader)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}

// A person: sees tasks of open runs, what they print, and why pools do not start. It reads, and changes nothing.
resource userBatch 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(userPrincipalId)) {
  name: guid(batch.id, userPrincipalId, role.batchAccountReader)
  scope: batch
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.batchAccountReader)
    principalId: userPrincipalId
    principalType: userPrincipalType
  }
}
