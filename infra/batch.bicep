// The Batch account, which takes Entra tokens only, and its pool. The pool has no nodes while there are no tasks.
param location string
param tags object
param token string
param workspaceId string
param isPrivate bool
param nodeSubnetId string

@description('The identity by which nodes pull from the registry, or reach staging; empty if they do neither: then the pool has none.')
param nodeIdentityId string
param poolId string
param nodeSize string
param taskSlotsPerNode int
param maximumNodes int
param spotNodes bool
param prefetchedImages string[]
param registryServer string

@description('An Ubuntu image with a container runtime, verified by Azure Batch, and its node agent. What there is: az batch pool supported-images list')
param nodeImage object = {
  publisher: 'microsoft-dsvm'
  offer: 'ubuntu-hpc'
  sku: '2404'
  version: 'latest'
}
param nodeAgent string = 'batch.node.ubuntu 24.04'

// Evaluated every five minutes, the shortest interval there is. Pending tasks are those that run or could run now. Where
// too few samples are there (a pool that is new, or idle), the last one counts. Nodes go only when their tasks are done.
// It counts tasks: no variable of Batch counts the slots that they require (Azure/Batch#151), so tasks with
// requiredSlots > 1 get fewer nodes than they could fill. They wait longer; each runs, for one pending task is enough
// for one node. tests/local/batch/test_deployed_formula.py runs it.
// Nodes of the other kind go, should the pool have any: a target that a formula does not name stays as it is. Preempted
// nodes count in the size of the pool; Batch goes on trying to get them back.
// https://learn.microsoft.com/azure/batch/batch-automatic-scaling
var formula = '''
maximumNodes = {0};
slots = {1};
samples = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 5);
pending = samples < 70 ? max(0, $PendingTasks.GetSample(1)) : max($PendingTasks.GetSample(1), avg($PendingTasks.GetSample(TimeInterval_Minute * 5)));
$Target{2}Nodes = min(maximumNodes, ceil(pending / slots));
$Target{3}Nodes = 0;
$NodeDeallocationOption = taskcompletion;
'''

var kinds = spotNodes ? ['LowPriority', 'Dedicated'] : ['Dedicated', 'LowPriority']

// Properties that are empty are left out. The service gives them back as absent, compares, and refuses the difference
// while the pool has nodes: https://github.com/Azure/bicep/issues/7902, https://github.com/Azure/Batch/issues/153.
var containerConfiguration = union(
  { type: 'DockerCompatible' },
  empty(prefetchedImages) ? {} : { containerImageNames: prefetchedImages },
  empty(registryServer)
    ? {}
    : { containerRegistries: [{ registryServer: registryServer, identityReference: { resourceId: nodeIdentityId } }] }
)

resource account 'Microsoft.Batch/batchAccounts@2025-06-01' = {
  name: 'ba${token}'
  location: location
  tags: tags
  properties: {
    poolAllocationMode: 'BatchService'
    // Without SharedKey there is no key that could be lost. TaskAuthenticationToken is not used either.
    allowedAuthenticationModes: ['AAD']
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
  }

  resource pool 'pools' = {
    name: poolId
    // Any task can obtain a token of it. By default nodes reach storage by SAS, and the identity is for a registry alone.
    identity: empty(nodeIdentityId)
      ? { type: 'None' }
      : { type: 'UserAssigned', userAssignedIdentities: { '${nodeIdentityId}': {} } }
    // Of these only the formula can change while the pool has nodes; infra/hooks/preprovision looks at that first.
    properties: union(isPrivate ? { networkConfiguration: { subnetId: nodeSubnetId } } : {}, {
      vmSize: nodeSize
      taskSlotsPerNode: taskSlotsPerNode
      taskSchedulingPolicy: { nodeFillType: 'Pack' }
      scaleSettings: {
        autoScale: {
          formula: format(formula, maximumNodes, taskSlotsPerNode, kinds[0], kinds[1])
          evaluationInterval: 'PT5M'
        }
      }
      deploymentConfiguration: {
        virtualMachineConfiguration: {
          imageReference: nodeImage
          nodeAgentSkuId: nodeAgent
          containerConfiguration: containerConfiguration
        }
      }
    })
  }
}

// Pools that cannot grow and tasks that fail, which docs/operate.md has alerts on.
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log-analytics'
  scope: account
  properties: { workspaceId: workspaceId, logs: [{ categoryGroup: 'allLogs', enabled: true }] }
}

output accountId string = account.id
output accountName string = account.name
output endpoint string = 'https://${account.properties.accountEndpoint}'
