"""What a cluster of three does beside one of Kafka Connect: comes together, takes pipelines, goes on without a node.

- `contender`: what is asked of both; `turns`: how they take turns; `nodes`: Wire's; `connect`: Kafka Connect's.
- `formation`, `creation`, `takeover`, `idling`, `crowding`, `restoring`, `deciding`: what is measured;
`measured`: all of it in turn; `rows`: what the report says of it.
"""
