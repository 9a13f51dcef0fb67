#!/bin/sh
# `az batch`, unchanged, against the service: the account's name, key and endpoint come from the variables that it reads
# (AZURE_BATCH_ACCOUNT, AZURE_BATCH_ACCESS_KEY, AZURE_BATCH_ENDPOINT). The first command that fails ends it.
set -eu
cd "$(mktemp -d)"

wait_for() { # COMMAND… VALUE: until the command prints the value
    for last; do :; done
    until [ "$(eval "$1")" = "$last" ]; do sleep 0.2; done
}

az batch pool create --id cli --vm-size standard_d2s_v3 --image canonical:ubuntu-24_04-lts:server:latest \
    --node-agent-sku-id "batch.node.ubuntu 24.04" --target-dedicated-nodes 1
wait_for "az batch pool show --pool-id cli --query allocationState -o tsv" steady
az batch node list --pool-id cli --query '[].state' -o tsv | grep -qx idle
az batch pool resize --pool-id cli --target-dedicated-nodes 2
wait_for "az batch pool show --pool-id cli --query currentDedicatedNodes -o tsv" 2
az batch pool supported-images list --filter "osType eq 'linux'" --query '[].nodeAgentSkuId' -o tsv | grep -q ubuntu

node=$(az batch node list --pool-id cli --query '[0].id' -o tsv)
az batch node user create --pool-id cli --node-id "$node" --name ada --password 'a-Password-1'
az batch node user delete --pool-id cli --node-id "$node" --user-name ada --yes
az batch node remote-login-settings show --pool-id cli --node-id "$node" --query remoteLoginPort -o tsv | grep -qx 22
az batch node scheduling disable --pool-id cli --node-id "$node"
az batch node show --pool-id cli --node-id "$node" --query state -o tsv | grep -qx offline
az batch node scheduling enable --pool-id cli --node-id "$node"
az batch node reboot --pool-id cli --node-id "$node"
wait_for "az batch node show --pool-id cli --node-id $node --query state -o tsv" idle
az batch node delete --pool-id cli --node-list "$node"
wait_for "az batch pool show --pool-id cli --query currentDedicatedNodes -o tsv" 1

az batch job create --id cli --pool-id cli
az batch task create --job-id cli --task-id task --command-line "/bin/sh -c 'echo hello'"
wait_for "az batch task show --job-id cli --task-id task --query state -o tsv" completed
[ "$(az batch task show --job-id cli --task-id task --query executionInfo.exitCode -o tsv)" = 0 ]
az batch task file list --job-id cli --task-id task --query '[].name' -o tsv | grep -qx stdout.txt
az batch task file download --job-id cli --task-id task --file-path stdout.txt --destination ./out.txt
[ "$(cat out.txt)" = hello ]
node=$(az batch node list --pool-id cli --query '[0].id' -o tsv)
az batch node file list --pool-id cli --node-id "$node" --query '[].name' -o tsv | grep -qx workitems
az batch node file download --pool-id cli --node-id "$node" --file-path workitems/cli/job-1/task/stdout.txt \
    --destination ./node.txt
[ "$(cat node.txt)" = hello ]
az batch job task-counts show --job-id cli --query taskCounts.succeeded -o tsv | grep -qx 1
az batch job list --filter "state eq 'active'" --query '[].id' -o tsv | grep -qx cli
az batch job disable --job-id cli --disable-tasks wait
wait_for "az batch job show --job-id cli --query state -o tsv" disabled
az batch job enable --job-id cli
wait_for "az batch job show --job-id cli --query state -o tsv" active
az batch job stop --job-id cli --terminate-reason mine
wait_for "az batch job show --job-id cli --query executionInfo.terminateReason -o tsv" mine
az batch job delete --job-id cli --yes
az batch pool delete --pool-id cli --yes
