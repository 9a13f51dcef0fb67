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
      // No soft delete of blobs and no versions: they are set for the whole account only, and would keep, for days,
      // what the app removes: scripts with the values of secrets, and manifests with the credentials cut out of their
      // copies. https://learn.microsoft.com/azure/storage/blobs/soft-delete-blob-overview
      deleteRetentionPolicy: { enabled: false }
      isVersioningEnabled: false
      // A container that was deleted by mistake can be restored for a week. The app never deletes one.
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
