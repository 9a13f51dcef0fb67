// The topic to which the app publishes JobEnded and RunEnded, with an identity by which Event Grid writes what it could not deliver
// to the container dead-letters. Storage's own topic, which tells of new blobs, is not made here: an account can have
// only one, and Defender for Storage may have made it (infra/hooks/postdeploy takes that one, or makes it).
param location string
param tags object
param token string
param workspaceId string
param isPrivate bool

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = {
  name: 'evgt-${token}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    inputSchema: 'CloudEventSchemaV1_0'
    disableLocalAuth: true
    minimumTlsVersionAllowed: '1.2'
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
  }
}

// Failed deliveries, which docs/operate.md has alerts on.
resource topicLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log-analytics'
  scope: topic
  properties: {
    workspaceId: workspaceId
    logAnalyticsDestinationType: 'Dedicated'
    logs: [{ categoryGroup: 'allLogs', enabled: true }]
  }
}

output topicId string = topic.id
output topicName string = topic.name
output topicEndpoint string = topic.properties.endpoint
output topicPrincipalId string = topic.identity.principalId
