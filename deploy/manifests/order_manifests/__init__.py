"""The manifests that deploy the system, made from the table of workloads and the topics."""
