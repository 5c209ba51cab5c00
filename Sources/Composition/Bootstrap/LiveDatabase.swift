package import Logging
package import Postgres
package import Settings
package import Telemetry

package enum LiveDatabase {
    /// The part's name at `/ready`. Not that of what a start waits for ("database"): a server that answers again may
    /// still lack its tables.
    private static let connection = "database connection"

    /// - Parameter health: told when the server cannot be reached, and when it can again.
    package static func pool(
        _ settings: Settings, name: String, size: Int, logger: Logger, health: Health?
    ) throws -> PostgresPool {
        let address = try address(
            settings, options: Self.planning.map { "%20-c\($0)%3D\($1)" }.joined())
        return PostgresPool(
            address: address, size: size, name: name, statementTimeout: statementTimeout,
            onEvent: listener(logger, health))
    }

    /// Every statement has an index that serves it, whatever its parameters are.
    private static let planning = [
        // A plan made while a table was new and empty would else be kept and read the whole table for each batch once
        // it has grown.
        ("enable_seqscan", "off"),
        // One plan a statement, made once. Left to itself the server makes a new one for each array it is given, for
        // a fifth of all the time it spends on a batch.
        ("plan_cache_mode", "force_generic_plan"),
        // What the first setting makes look dear would be compiled, at a hundred times the cost of running it.
        ("jit", "off"),
    ]

    /// For migrations: one connection, on which a statement may take its time. A migration that rewrites a large table
    /// needs it, and so does whoever waits for another's. Plans are the server's own choice.
    package static func migrationPool(_ settings: Settings, logger: Logger) throws -> PostgresPool {
        PostgresPool(
            address: try address(settings), size: 1, name: "tillbridge-migrate", statementTimeout: nil,
            onEvent: listener(logger, nil))
    }

    private static let statementTimeout = Duration.seconds(30)

    private static func listener(_ logger: Logger, _ health: Health?) -> @Sendable (PostgresEvent) -> Void {
        { event in
            switch event {
            case .connectFailed(let error, _):
                health?.set(connection, waitingFor: "\(error)")
                logger.warning("the database cannot be reached: \(error)")
            case .reachableAgain:
                health?.set(connection, waitingFor: nil)
                logger.notice("the database can be reached again")
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
    private static func address(_ settings: Settings, options: String = "") throws -> PostgresAddress {
        let url = settings.connections.database.revealed
        let separator = url.contains("?") ? "&" : "?"
        let path = "options=-csearch_path%3D\(settings.connections.schema)"
        do { return try PostgresAddress(url: "\(url)\(separator)\(path)\(options)") } catch {
            throw StartError("TILLBRIDGE_DATABASE_URL cannot be used: \(error)")
        }
    }
}
