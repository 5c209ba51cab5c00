import AMQP
import Logging
import Telemetry

/// What happens to the broker's connections, for the log, the metrics and `/ready`.
enum BrokerEvents {
    static func note(
        _ event: AMQPEvent, connection: String, logger: Logger, health: Health, metrics: Metrics
    ) {
        let part = "broker (\(connection))"
        switch event {
        case .connecting: break
        case .connected:
            health.set(part, waitingFor: nil)
            logger.debug("connected to the broker", metadata: ["connection": "\(connection)"])
        case .disconnected(let error, let retry):
            health.set(part, waitingFor: "\(error)")
            metrics.count("tillbridge_broker_disconnects_total", ["connection": connection])
            logger.warning("the broker: \(error); next try in \(retry)", metadata: ["connection": "\(connection)"])
        case .blocked(let reason):
            metrics.set("tillbridge_broker_blocked", to: 1)
            logger.warning("the broker takes no messages for now: \(reason)")
        case .unblocked:
            metrics.set("tillbridge_broker_blocked", to: 0)
            logger.notice("the broker takes messages again")
        case .consumerCancelled(let queue): logger.warning("the broker ended the subscription to \(queue)")
        case .subscribeFailed(let queue, let error, let retry):
            health.set(queue, waitingFor: "the queue \(queue): \(error)")
            let hint = error.code == .timedOut
                ? ". If it lasts, the queue has no leader: delete it if it is empty, and it is declared anew" : ""
            logger.warning("cannot read queue \(queue): \(error); next try in \(retry)\(hint)")
        case .subscribed(let queue): health.set(queue, waitingFor: nil)
        }
    }
}
