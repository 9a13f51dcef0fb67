#!/bin/sh
# Makes Event Grid's subscriptions once the functions are there; may be repeated. azd passes what Bicep put out.
set -eu

app() {
    command=$1 query=$2
    # shellcheck disable=SC2086 - the command is several words
    az functionapp $command list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "$FUNCTION_APP_NAME" --query "$query" --output tsv
}

# The host makes the key of the blob trigger's webhook when it first loads the trigger. Only its presence is asked for.
is_ready() {
    [ "$(app function 'length(@)')" = 3 ] && [ "$(app keys 'systemKeys.blobs_extension != `null`')" = true ]
}

# A property of the storage account, or of its system topic.
account() {
    az storage account show --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "$STORAGE_ACCOUNT_NAME" --query "$1" --output tsv
}

inbox_topic() {
    az eventgrid system-topic list --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --query "[?ends_with(source, '/$STORAGE_ACCOUNT_NAME')].$1 | [0]" --output tsv
}

az account show --subscription "$AZURE_SUBSCRIPTION_ID" --output none || {
    echo "Log in with 'az login' and run 'azd hooks run postdeploy'." >&2
    exit 1
}

tries=30
until is_ready; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        echo "The three functions of $FUNCTION_APP_NAME have not appeared in five minutes. Look at its log stream in the" \
            "portal, then run 'azd hooks run postdeploy'." >&2
        exit 1
    fi
    echo "Waiting for the functions of $FUNCTION_APP_NAME"
    sleep 10
done

# An account can have one system topic. Defender for Storage makes one where it scans for malware: that one is used, and
# is given the identity with which Event Grid writes dead letters. PATCH leaves the rest of it as it is.
if [ -z "$(inbox_topic name)" ]; then
    az eventgrid system-topic create --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
        --name "evgs-$STORAGE_ACCOUNT_NAME" --location "$(account location)" --source "$(account id)" \
        --topic-type Microsoft.Storage.StorageAccounts --mi-system-assigned --output none
elif [ -z "$(inbox_topic identity.principalId)" ]; then
    az rest --method patch --url "$(inbox_topic id)?api-version=2025-02-15" \
        --body '{"identity": {"type": "SystemAssigned"}}' --output none
fi

# Event Grid asks the app whether it takes events, while its first instance may still be starting, and tries whether it
# may write dead letters, with a role that may be new. So a failure is tried again.
tries=5
until az deployment group create --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name subscriptions --template-file infra/subscriptions.bicep --output none --parameters \
    functionAppName="$FUNCTION_APP_NAME" topicName="$TOPIC_NAME" storageAccountName="$STORAGE_ACCOUNT_NAME" \
    workspaceId="$LOG_WORKSPACE_ID" inboxTopicName="$(inbox_topic name)" \
    inboxTopicPrincipalId="$(inbox_topic identity.principalId)"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        echo "The subscriptions could not be made, for the reason above. Then run 'azd hooks run postdeploy'." >&2
        exit 1
    fi
    echo "The subscriptions could not be made yet; trying again in half a minute"
    sleep 30
done
echo "Drop manifests into the container inbox of the storage account $STORAGE_ACCOUNT_NAME."
