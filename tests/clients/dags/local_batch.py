"""A DAG with Apache Airflow's AzureBatchOperator, unchanged, which Airflow runs by itself (`airflow dags test`)."""

from __future__ import annotations

from airflow.providers.microsoft.azure.operators.batch import AzureBatchOperator
from airflow.sdk import DAG

with DAG("local_batch", schedule=None):
    AzureBatchOperator(
        task_id="run",
        batch_pool_id="airflow",
        batch_pool_vm_size="standard_d2s_v3",
        batch_job_id="airflow",
        batch_task_id="task",
        batch_task_command_line="/bin/sh -c 'echo hello'",
        vm_publisher="canonical",
        vm_offer="ubuntu-24_04-lts",
        sku_starts_with="server",
        vm_sku="server",
        vm_node_agent_sku_id="batch.node.ubuntu 24.04",
        use_latest_verified_vm_image_and_sku=True,
        target_dedicated_nodes=1,
        timeout=5,
    )
