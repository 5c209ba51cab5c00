package import ArgumentParser
import Postgres
import Settings
import Store

/// `tillbridge`: what an operator types.
package struct OperatorCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "tillbridge",
        abstract: "Looks after a fleet: database, configuration, connections, mapping, dead letters, alerts.",
        subcommands: [
            MigrateCommand.self, ConfigCommand.self, ConnectCommand.self, ConnectionsCommand.self,
            DisconnectCommand.self, KeysCommand.self, MappingCommand.self, PreviewCommand.self, ItemsCommand.self,
            DeadLettersCommand.self, AlertsCommand.self,
        ])

    package init() {}
}

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Brings the database's tables forward. Safe to run again, and by several at once.")

    @OptionGroup var options: WorkerOptions
    @Flag(name: .long, help: "List the migrations and whether each is applied; change nothing.")
    var status = false

    func run() async throws {
        let settings = try LiveSettings.load(path: options.config, for: nil)
        let pool = try LiveDatabase.migrationPool(settings, logger: LiveLog.logger("tillbridge"))
        try await pool.waitUntilReady(within: .seconds(60))
        let migrator = Migrator(pool: pool, schema: settings.connections.schema)
        if status {
            for row in try await migrator.status() {
                print("\(row.version)  \(row.name)  \(row.isApplied ? "applied" : "missing")")
            }
        } else {
            let applied = try await migrator.migrate()
            let names = applied.map(\.name).joined(separator: ", ")
            print(applied.isEmpty ? "the database is up to date" : "applied: \(names)")
        }
        await pool.close()
    }
}

struct ConfigCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Checks the configuration and prints what is in effect, secrets masked.")

    @OptionGroup var options: WorkerOptions

    func run() async throws { print(try LiveSettings.load(path: options.config, for: nil).rendered()) }
}
