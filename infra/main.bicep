// Everything that the app needs in Azure, in a resource group of its own: no secret is made, shown or stored.
// Event Grid's subscriptions come after the code (subscriptions.bicep): Event Grid asks the code whether it takes them.
targetScope = 'subscription'

@description('The name of this deployment; also of its resource group, as rg-<name>.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('A region that has the Flex Consumption plan and Azure Batch.')
param location string

@description('The person or group that may drop manifests and read results; none if empty.')
param userPrincipalId string = ''

@description('What userPrincipalId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param userPrincipalType string = 'User'

@description('The id of the pool, which is what manifests name as poolId.')
param poolId string = 'pool'

@description('The size of the nodes. The Batch account needs quota for its family, see docs/operate.md.')
param nodeSize string = 'Standard_D2s_v5'

@description('How many tasks a node runs at a time: at most four for each core of nodeSize.')
@minValue(1)
@maxValue(256)
param taskSlotsPerNode int = 2

@description('The most nodes that the pool grows to; without tasks it has none.')
@minValue(1)
param maximumNodes int = 4

@description('Whether the nodes are spot nodes: cheaper, but Azure takes them away when it needs them, and their tasks run again. See docs/operate.md.')
param spotNodes bool = false

// Of the pool, only maximumNodes and spotNodes can change while it has nodes: see docs/deploy.md.
@description('Images that nodes pull before they take tasks, so that tasks need not wait for them.')
param prefetchedImages string[] = []

@description('The resource id of an Azure container registry that nodes may pull from by identity; none if empty. With it every task can pull from that registry.')
param registryId string = ''

@description('How nodes reach the container staging: by SAS without delete, or by an identity of the pool, whose token any task can use. See SECURITY.md.')
@allowed(['sas', 'identity'])
param stagingAccess string = 'sas'

@description('The Python of the function app.')
@allowed(['3.11', '3.12', '3.13'])
param pythonVersion string = '3.12'

@description('The memory of one instance of the function app.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('The most instances of the function app.')
@minValue(40)
@maxValue(1000)
param maximumInstances int = 40

@description('Instances that always wait for manifests, against the seconds of a cold start; they cost while they wait.')
@minValue(0)
param alwaysReadyInstances int = 0

@description('When runs are polled: NCRONTAB, with seconds.')
param pollSchedule string = '*/15 * * * * *'

@description('Further containers of the storage account that manifests may name, as globs; they are not made here.')
param allowedContainers string[] = []

@description('What nodes cost an hour, by VM size: { Standard_D2s_v5: 0.112 }, or with spot nodes { Standard_D2s_v5: { dedicated: 0.112, spot: 0.022 } }. Costs of runs are estimated with it.')
param nodePrices object = {}

@description('The currency of nodePrices.')
param priceCurrency string = 'USD'

@description('What secret(\'NAME\') reads: the URI of a secret in Key Vault by NAME.')
param secretUris object = {}

@description('The resource id of the Key Vault of those secrets; it must use role-based access. None if empty.')
param keyVaultId string = ''

@description('Whether storage, Batch and Event Grid are reached by private endpoints in a virtual network only. Not verified: see docs/deploy.md.')
param privateNetwork bool = false

var token = uniqueString(subscription().id, environmentName, location)
var tags = { 'azd-env-name': environmentName }
var usesRegistry = !empty(registryId)
var usesKeyVault = !empty(keyVaultId)
var stagesByIdentity = stagingAccess == 'identity'
// Scopes are evaluated whether or not what lies in them is deployed.
var noResource = '/subscriptions/${subscription().subscriptionId}/resourceGroups/rg-${environmentName}/providers/none/none/none'
var registryParts = split(usesRegistry ? registryId : noResource, '/')
var keyVaultParts = split(usesKeyVault ? keyVaultId : noResource, '/')

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identities 'identities.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token, hasNodeIdentity: usesRegistry || stagesByIdentity }
}

module monitoring 'monitoring.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module network 'network.bicep' = if (privateNetwork) {
  scope: group
  params: { location: location, tags: tags, token: token }
}

module storage 'storage.bicep' = {
  scope: group
  params: { location: location, tags: tags, token: token, isPrivate: privateNetwork }
}

module events 'events.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    workspaceId: monitoring.outputs.workspaceId
    isPrivate: privateNetwork
  }
}

module batch 'batch.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    workspaceId: monitoring.outputs.workspaceId
    isPrivate: privateNetwork
    nodeSubnetId: network.?outputs.nodeSubnetId ?? ''
    nodeIdentityId: identities.outputs.nodeIdentityId
    poolId: poolId
    nodeSize: nodeSize
    taskSlotsPerNode: taskSlotsPerNode
    maximumNodes: maximumNodes
    spotNodes: spotNodes
    prefetchedImages: prefetchedImages
    registryServer: usesRegistry ? registry!.properties.loginServer : ''
  }
  dependsOn: [registryRole]
}

module roles 'roles.bicep' = {
  scope: group
  params: {
    appPrincipalId: identities.outputs.appPrincipalId
    stagingPrincipalId: stagesByIdentity ? identities.outputs.nodePrincipalId : ''
    topicPrincipalId: events.outputs.topicPrincipalId
    userPrincipalId: userPrincipalId
    userPrincipalType: userPrincipalType
    storageAccountName: storage.outputs.accountName
    batchAccountName: batch.outputs.accountName
    topicName: events.outputs.topicName
    insightsName: monitoring.outputs.insightsName
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = if (usesRegistry) {
  scope: resourceGroup(registryParts[2], registryParts[4])
  name: last(registryParts)
}

module registryRole 'registry_role.bicep' = if (usesRegistry) {
  scope: resourceGroup(registryParts[2], registryParts[4])
  params: { registryName: last(registryParts), nodePrincipalId: identities.outputs.nodePrincipalId }
}

module keyVaultRole 'key_vault_role.bicep' = if (usesKeyVault) {
  scope: resourceGroup(keyVaultParts[2], keyVaultParts[4])
  params: { keyVaultName: last(keyVaultParts), appPrincipalId: identities.outputs.appPrincipalId }
}

module privateEndpoints 'private_endpoints.bicep' = if (privateNetwork) {
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network.?outputs.networkId ?? ''
    subnetId: network.?outputs.endpointSubnetId ?? ''
    storageAccountId: storage.outputs.accountId
    batchAccountId: batch.outputs.accountId
    topicId: events.outputs.topicId
  }
}

module functionApp 'function_app.bicep' = {
  scope: group
  params: {
    location: location
    tags: tags
    token: token
    identityId: identities.outputs.appIdentityId
    identityClientId: identities.outputs.appClientId
    nodeIdentityId: identities.outputs.nodeIdentityId
    stagingAccess: stagingAccess
    storageAccountName: storage.outputs.accountName
    batchAccountId: batch.outputs.accountId
    batchAccountName: batch.outputs.accountName
    batchEndpoint: batch.outputs.endpoint
    poolId: poolId
    topicEndpoint: events.outputs.topicEndpoint
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    appSubnetId: network.?outputs.appSubnetId ?? ''
    pythonVersion: pythonVersion
    instanceMemoryMB: instanceMemoryMB
    maximumInstances: maximumInstances
    alwaysReadyInstances: alwaysReadyInstances
    pollSchedule: pollSchedule
    allowedContainers: allowedContainers
    nodePrices: nodePrices
    priceCurrency: priceCurrency
    secretUris: secretUris
  }
  // The app starts at once, with the roles that it has then; and the host needs storage for its first start.
  dependsOn: [roles, keyVaultRole, privateEndpoints]
}

// azd keeps outputs in its environment, from where the hooks in infra/hooks read them.
output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output STORAGE_ACCOUNT_NAME string = storage.outputs.accountName
output BATCH_ACCOUNT_NAME string = batch.outputs.accountName
output TOPIC_NAME string = events.outputs.topicName
output LOG_WORKSPACE_ID string = monitoring.outputs.workspaceId
