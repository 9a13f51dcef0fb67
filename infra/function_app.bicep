// The function app, on the Flex Consumption plan: nothing runs, and nothing is paid, between invocations.
param location string
param tags object
param token string
param identityId string
param identityClientId string
@description('The identity by which nodes pull from a registry; empty without one.')
param nodeIdentityId string
param stagingAccess string
param storageAccountName string
param batchAccountId string
param batchAccountName string
param batchEndpoint string
param poolId string
param topicEndpoint string
param insightsConnectionString string
param appSubnetId string
param pythonVersion string
param instanceMemoryMB int
param maximumInstances int
param alwaysReadyInstances int
param pollSchedule string
param allowedContainers string[]
param nodePrices object
param priceCurrency string
param secretUris object

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' existing = {
  name: storageAccountName
}

var endpoints = account.properties.primaryEndpoints

// What the Functions host and the platform read. FUNCTIONS_WORKER_RUNTIME and the like do not exist on this plan.
var hostSettings = {
  AzureWebJobsStorage__blobServiceUri: endpoints.blob
  AzureWebJobsStorage__queueServiceUri: endpoints.queue
  AzureWebJobsStorage__tableServiceUri: endpoints.table
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
}

// What the app reads: shared/settings.py.
var appSettings = {
  RunStorage__blobServiceUri: endpoints.blob
  RunStorage__queueServiceUri: endpoints.queue
  RunStorage__credential: 'managedidentity'
  RunStorage__clientId: identityClientId
  INBOX_CONTAINER: 'inbox'
  RUNS_CONTAINER: 'runs'
  STAGING_CONTAINER: 'staging'
  RESULTS_CONTAINER: 'results'
  NAMESPACES_CONTAINER: 'namespaces'
  FLOWS_CONTAINER: 'flows'
  UPLOADS_CONTAINER: 'uploads'
  INBOX_SOURCE: 'EventGrid'
  BATCH_ACCOUNT_ENDPOINT: batchEndpoint
  BATCH_ACCOUNT_NAME: batchAccountName
  BATCH_ACCOUNT_RESOURCE_ID: batchAccountId
  BATCH_POOL_ID: poolId
  EVENTGRID_TOPIC_ENDPOINT: topicEndpoint
  POLL_SCHEDULE: pollSchedule
  ALLOWED_CONTAINERS: join(allowedContainers, ' ')
  NODE_PRICES: string(nodePrices)
  PRICE_CURRENCY: priceCurrency
  STAGING_ACCESS: stagingAccess
}

// Only where nodes have an identity at all.
var nodeSettings = empty(nodeIdentityId) ? {} : { NODE_IDENTITY_RESOURCE_ID: nodeIdentityId }

// What flows written for Kestra name with secret(): with these they run as they stand. No key is among them.
var kestraSettings = {
  SECRET_AZURE_ACCOUNT: batchAccountName
  SECRET_AZURE_ENDPOINT: batchEndpoint
  SECRET_AZURE_CONNECTION_STRING: 'AccountName=${storageAccountName}'
}

// References, not values: a template never sees a secret.
var secretSettings = toObject(
  items(secretUris),
  secret => 'SECRET_${secret.key}',
  secret => '@Microsoft.KeyVault(SecretUri=${secret.value})'
)

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: 'plan-${token}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { tier: 'FlexConsumption', name: 'FC1' }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: 'func-${token}'
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    // Event Grid delivers from the internet. There is nothing else to call: no function has an HTTP trigger.
    publicNetworkAccess: 'Enabled'
    virtualNetworkSubnetId: empty(appSubnetId) ? null : appSubnetId
    siteConfig: { minTlsVersion: '1.2' }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${endpoints.blob}app-package'
          authentication: { type: 'UserAssignedIdentity', userAssignedIdentityResourceId: identityId }
        }
      }
      runtime: { name: 'python', version: pythonVersion }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstances
        // All blob triggers are one scale group.
        alwaysReady: alwaysReadyInstances > 0 ? [{ name: 'blob', instanceCount: alwaysReadyInstances }] : []
      }
    }
  }

  resource settings 'config' = {
    name: 'appsettings'
    properties: union(hostSettings, appSettings, nodeSettings, kestraSettings, secretSettings)
  }

  // Publishing needs a token too: no user name and password for FTP and the deployment site.
  resource publishing 'basicPublishingCredentialsPolicies' = [
    for name in ['ftp', 'scm']: {
      name: name
      properties: { allow: false }
    }
  ]
}

output name string = app.name
