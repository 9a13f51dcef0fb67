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

az deployment group create --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name subscriptions --template-file infra/subscriptions.bicep --output none --parameters \
    functionAppName="$FUNCTION_APP_NAME" topicName="$TOPIC_NAME" inboxTopicName="$INBOX_TOPIC_NAME" \
    storageAccountName="$STORAGE_ACCOUNT_NAME"
echo "Drop manifests into the container inbox of the storage account $STORAGE_ACCOUNT_NAME."
