// One storage account: the app's seven containers, its package, what Event Grid gives up, and the Functions host's own.
param location string
param tags object
param token string
param isPrivate bool

@description('Staged files are removed when their run is closed; what is left after so many days is nobody\'s. A run lasts six days at most.')
@minValue(8)
param stagingDays int = 14

@description('Files that were uploaded for a run are removed when they have not been written for so many days. A run that waits may still read them.')
@minValue(8)
param uploadsDays int = 30

var containers = ['inbox', 'runs', 'staging', 'results', 'namespaces', 'flows', 'uploads']
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

  // For leftovers, and for what people uploaded for a run: no result, no run document and no stored flow is ever removed
  // by age. A prefix begins with the container's name; the slash ends that name, so that no other one begins like it:
  // https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-policy-structure
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
          {
            name: 'uploads-of-former-runs'
            type: 'Lifecycle'
            enabled: true
            definition: {
              filters: { blobTypes: ['blockBlob', 'appendBlob'], prefixMatch: ['uploads/'] }
              actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: uploadsDays } } }
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
