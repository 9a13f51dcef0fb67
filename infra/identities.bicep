// The app's identity; and where nodes pull from a registry, or reach staging by it, the nodes', whose token any task on
// the pool can obtain.
// What each may do is in roles.bicep and registry_role.bicep. They are user-assigned so that their roles are there
// before the app and the pool are.
param location string
param tags object
param token string
param hasNodeIdentity bool

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: 'id-app-${token}'
  location: location
  tags: tags
}

resource nodes 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = if (hasNodeIdentity) {
  name: 'id-nodes-${token}'
  location: location
  tags: tags
}

output appIdentityId string = app.id
output appClientId string = app.properties.clientId
output appPrincipalId string = app.properties.principalId
output nodeIdentityId string = hasNodeIdentity ? nodes.id : ''
output nodePrincipalId string = hasNodeIdentity ? nodes!.properties.principalId : ''
