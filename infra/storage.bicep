// One storage account: the app's five containers, its package, what Event Grid gives up, and the Functions host's own.
param location string
param tags object
param token string
param isPrivate bool

@description('Staged files are removed when their run is closed; what is left after so many days is nobody\'s. A run lasts six days at most.')
@minValue(8)
param stagingDays int = 14

var containers = ['inbox', 'runs', 'staging', 'results', 'namespaces']
var ownContainers = ['app-package', 'dead-letters']

resource account 'Microsoft.Storage/storageAccounts@2025-08-01' = {
  name: 'st${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: 'Standard_LRS' }
  properties: {
    accessTier: 'Hot'
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    // Event Grid writes dead letters from outside of any network, as a service that Azure trusts.
    networkAcls: { defaultAction: isPrivate ? 'Deny' : 'Allow', bypass: 'AzureServices' }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      // A result that was deleted by mistake can be had back for a week. Versions and change feed are not needed.
      deleteRetentionPolicy: { enabled: true, days: 7 }
      containerDeleteRetentionPolicy: { enabled: true, days: 7 }
    }

    resource container 'containers' = [
      for name in concat(containers, ownContainers): {
        name: name
        properties: { publicAccess: 'None' }
      }
    ]
  }

  // For leftovers only: nothing of a run's results, and no run document, is ever removed by age.
  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'staging-leftovers'
            type: 'Lifecycle'
            enabled: true
            definition: {
              filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['staging/'] }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: stagingDays } } }
            }
          }
        ]
      }
    }
    dependsOn: [blobs]
  }
}

output accountId string = account.id
output accountName string = account.name
