"""Starts real servers for the tests, the benchmarks and the tutorial, and stops everything it started.

- `kafka.KafkaServer`: one Apache Kafka broker; `kafka_client.KafkaCluster`: topics, records and offsets of any broker.
- `mongodb.MongoReplicaSet`, `mongodb.MongoServer`, `elasticsearch.ElasticsearchServer`: the same for those; whatever
  somebody else runs is a `mongodb_client.MongoDB` or an `elasticsearch_client.Elasticsearch`.
- `server.Server`: what all of them can be told: start, stop, kill, freeze.
- `process.Process`: a child that can't outlive us; `java`: a JRE, and jars through Maven.
- `fixtures`: what tests ask for by name.

Invariants: a process is only ever signalled by the object that started it; nothing started here outlives the Python
process that started it, even when that one is killed; every wait has a deadline.
"""
