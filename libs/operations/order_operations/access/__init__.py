"""Rights made what the workloads need: ACLs in Kafka, roles in MongoDB."""
