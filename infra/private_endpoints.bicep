// The private endpoints of all services, and the zones by which their usual names lead there within the network.
param location string
param tags object
param networkId string
param subnetId string
param storageAccountId string
param batchAccountId string
param topicId string

var storageSuffix = environment().suffixes.storage
var batchZone = 'privatelink.batch.azure.com'
var zones = [
  'privatelink.blob.${storageSuffix}'
  'privatelink.queue.${storageSuffix}'
  'privatelink.table.${storageSuffix}'
  batchZone
  'privatelink.eventgrid.azure.net'
]
var endpoints = [
  { name: 'blob', service: storageAccountId, group: 'blob', zone: 0 }
  { name: 'queue', service: storageAccountId, group: 'queue', zone: 1 }
  { name: 'table', service: storageAccountId, group: 'table', zone: 2 }
  { name: 'batch', service: batchAccountId, group: 'batchAccount', zone: 3 }
  // By this one nodes ask the service for their tasks.
  { name: 'batch-nodes', service: batchAccountId, group: 'nodeManagement', zone: 3 }
  { name: 'topic', service: topicId, group: 'topic', zone: 4 }
]

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for name in zones: {
    name: name
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (name, index) in zones: {
    parent: zone[index]
    name: 'network'
    location: 'global'
    properties: { registrationEnabled: false, virtualNetwork: { id: networkId } }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2025-07-01' = [
  for each in endpoints: {
    name: 'pe-${each.name}'
    location: location
    tags: tags
    properties: {
      subnet: { id: subnetId }
      privateLinkServiceConnections: [
        { name: each.name, properties: { privateLinkServiceId: each.service, groupIds: [each.group] } }
      ]
    }
  }
]

resource record 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-07-01' = [
  for (each, index) in endpoints: {
    parent: endpoint[index]
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [{ name: each.name, properties: { privateDnsZoneId: zone[each.zone].id } }]
    }
  }
]
