# Makes Event Grid's subscriptions once the functions are there; may be repeated. azd passes what Bicep put out.
$ErrorActionPreference = 'Stop'

function Get-App([string] $Command, [string] $Query) {
    az functionapp $Command list --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name $env:FUNCTION_APP_NAME --query $Query --output tsv
}

# The host makes the key of the blob trigger's webhook when it first loads the trigger. Only its presence is asked for.
function Test-Ready {
    ((Get-App function 'length(@)') -eq '3') -and ((Get-App keys 'systemKeys.blobs_extension != `null`') -eq 'true')
}

az account show --subscription $env:AZURE_SUBSCRIPTION_ID --output none
if ($LASTEXITCODE -ne 0) { throw "Log in with 'az login' and run 'azd hooks run postdeploy'." }

$tries = 30
while (-not (Test-Ready)) {
    $tries -= 1
    if ($tries -eq 0) {
        throw ("The three functions of $env:FUNCTION_APP_NAME have not appeared in five minutes. Look at its log " +
            "stream in the portal, then run 'azd hooks run postdeploy'.")
    }
    Write-Output "Waiting for the functions of $env:FUNCTION_APP_NAME"
    Start-Sleep -Seconds 10
}

az deployment group create --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
    --name subscriptions --template-file infra/subscriptions.bicep --output none --parameters `
    functionAppName=$env:FUNCTION_APP_NAME topicName=$env:TOPIC_NAME inboxTopicName=$env:INBOX_TOPIC_NAME `
    storageAccountName=$env:STORAGE_ACCOUNT_NAME
if ($LASTEXITCODE -ne 0) { throw 'The subscriptions could not be made.' }
Write-Output "Drop manifests into the container inbox of the storage account $env:STORAGE_ACCOUNT_NAME."
