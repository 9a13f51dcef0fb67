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

# A property of the storage account, or of its system topic.
function Get-Account([string] $Query) {
    az storage account show --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name $env:STORAGE_ACCOUNT_NAME --query $Query --output tsv
}

function Get-InboxTopic([string] $Query) {
    az eventgrid system-topic list --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --query "[?ends_with(source, '/$env:STORAGE_ACCOUNT_NAME')].$Query | [0]" --output tsv
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

# An account can have one system topic. Defender for Storage makes one where it scans for malware: that one is used, and
# is given the identity with which Event Grid writes dead letters. PATCH leaves the rest of it as it is.
if (-not (Get-InboxTopic name)) {
    az eventgrid system-topic create --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name "evgs-$env:STORAGE_ACCOUNT_NAME" --location (Get-Account location) --source (Get-Account id) `
        --topic-type Microsoft.Storage.StorageAccounts --mi-system-assigned --output none
    if ($LASTEXITCODE -ne 0) { throw 'The system topic of the storage account could not be made.' }
}
elseif (-not (Get-InboxTopic identity.principalId)) {
    # The body comes from a file: how quotes reach az differs between versions of PowerShell.
    $body = New-TemporaryFile
    Set-Content -Path $body -Value '{"identity": {"type": "SystemAssigned"}}'
    az rest --method patch --url "$(Get-InboxTopic id)?api-version=2025-02-15" --body "@$body" --output none
    $failed = $LASTEXITCODE -ne 0
    Remove-Item $body
    if ($failed) { throw 'The system topic of the storage account could not be given an identity.' }
}

# Event Grid asks the app whether it takes events, while its first instance may still be starting, and tries whether it
# may write dead letters, with a role that may be new. So a failure is tried again.
$tries = 5
while ($true) {
    az deployment group create --subscription $env:AZURE_SUBSCRIPTION_ID --resource-group $env:AZURE_RESOURCE_GROUP `
        --name subscriptions --template-file infra/subscriptions.bicep --output none --parameters `
        functionAppName=$env:FUNCTION_APP_NAME topicName=$env:TOPIC_NAME storageAccountName=$env:STORAGE_ACCOUNT_NAME `
        workspaceId=$env:LOG_WORKSPACE_ID inboxTopicName=$(Get-InboxTopic name) `
        inboxTopicPrincipalId=$(Get-InboxTopic identity.principalId)
    if ($LASTEXITCODE -eq 0) { break }
    $tries -= 1
    if ($tries -eq 0) {
        throw "The subscriptions could not be made, for the reason above. Then run 'azd hooks run postdeploy'."
    }
    Write-Output 'The subscriptions could not be made yet; trying again in half a minute'
    Start-Sleep -Seconds 30
}
Write-Output "Drop manifests into the container inbox of the storage account $env:STORAGE_ACCOUNT_NAME."
