import Logging
import Postgres
import Settings
import Telemetry

enum LiveDatabase {
    static func pool(
        _ settings: Settings, name: String, size: Int, logger: Logger, health: Health?
    ) throws -> PostgresPool {
        let address: PostgresAddress
        do { address = try PostgresAddress(url: url(settings)) } catch {
            throw StartError("TILLBRIDGE_DATABASE_URL cannot be used: \(error)")
        }
        return PostgresPool(address: address, size: size, name: name) { event in
            switch event {
            case .connectFailed(let error, _):
                health?.set("database", waitingFor: "the database: \(error)")
                logger.warning("the database cannot be reached: \(error)")
            case .connectionLost(let error): logger.warning("a database connection was lost: \(error)")
            case .transactionRetried(let attempt, let cause):
                logger.info("a transaction is tried again (\(attempt)): \(cause)")
            case .poolExhausted(let waiting): logger.warning("no database connection is free, \(waiting) wait")
            case .listenerLost: break
            }
        }
    }

    /// The address without its password.
    static func shown(_ settings: Settings) -> String {
        (try? PostgresAddress(url: settings.connections.database.revealed)).map { "\($0)" } ?? "?"
    }

    /// The fleet's tables live in a schema of their own: the search path says which, so that no statement has to.
    ///
    /// Every statement has an index that serves it, and sequential scans are off: a plan made while a table was new and
    /// empty would else be kept and read the whole table for each batch once it has grown.
    private static func url(_ settings: Settings) -> String {
        let url = settings.connections.database.revealed
        let separator = url.contains("?") ? "&" : "?"
        return "\(url)\(separator)options=-csearch_path%3D\(settings.connections.schema)%20-cenable_seqscan%3Doff"
    }
}
