// A virtual network for those who want storage, Batch and Event Grid off the internet.
param location string
param tags object
param token string

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' = {
  name: 'vnet-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/16'] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: '10.0.0.0/24'
          // The Flex Consumption plan asks for this delegation, and for the provider Microsoft.App to be registered.
          delegations: [{ name: 'flex-consumption', properties: { serviceName: 'Microsoft.App/environments' } }]
          // Telemetry leaves the network this way. Put a NAT gateway here where a policy forbids it.
          defaultOutboundAccess: true
        }
      }
      {
        name: 'nodes'
        // Nodes reach registries by public addresses that Batch gives them; nothing can be opened from outside.
        properties: { addressPrefix: '10.0.4.0/22', defaultOutboundAccess: false }
      }
      {
        name: 'endpoints'
        properties: { addressPrefix: '10.0.1.0/24', defaultOutboundAccess: false }
      }
    ]
  }

  resource app 'subnets' existing = { name: 'app' }
  resource nodes 'subnets' existing = { name: 'nodes' }
  resource endpoints 'subnets' existing = { name: 'endpoints' }
}

output networkId string = network.id
output appSubnetId string = network::app.id
output nodeSubnetId string = network::nodes.id
output endpointSubnetId string = network::endpoints.id
