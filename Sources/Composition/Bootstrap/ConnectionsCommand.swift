import ArgumentParser
import Credentials
import Domain
import Settings
import Store
import Xero

/// `tillbridge connections`: what is connected, without a secret.
struct ConnectionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connections", abstract: "Lists what is connected, since when, and until when.")

    @OptionGroup var options: WorkerOptions

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let listed = try await desk.store.connections()
            for line in Self.lines(listed, desk.settings) { OperatorDesk.say(line) }
        }
    }

    static func lines(_ listed: [PostgresStore.ListedConnection], _ settings: Settings) -> [String] {
        var lines = listed.flatMap { connection in
            Self.lines(connection.record)
                + connection.tenants.map { tenant -> String in
                    let key = settings.organisations.first { $0.tenant == tenant.tenant }?.key.text
                    return "    \(tenant.name) (\(tenant.tenant)): "
                        + (key.map { "organisation \($0)" } ?? "not in the configuration")
                        + (tenant.disconnected.map { "; CLOSED: \($0)" } ?? "")
                }
        }
        let covered = Set(listed.flatMap(\.tenants).map(\.tenant))
        for organisation in settings.organisations {
            if organisation.credential != nil {
                lines.append("organisation \(organisation.key): custom connection, from the environment")
            } else if !(organisation.tenant.map { covered.contains($0) } ?? false) {
                lines.append("organisation \(organisation.key): NOT CONNECTED, run `tillbridge connect xero`")
            }
        }
        let names = Set(listed.map(\.record.name))
        for company in settings.companies {
            if company.credential != nil {
                lines.append("company \(company.key): basic credential, from the environment")
            } else if !names.contains(.kounta(company.key)) {
                let command = ConnectionName.kounta(company.key).connectCommand
                lines.append("company \(company.key): NOT CONNECTED, run `\(command)`")
            }
        }
        return lines
    }

    private static func lines(_ record: ConnectionRecord) -> [String] {
        var lines: [String] = []
        if let death = record.death {
            lines.append("\(record.name)  DEAD since \(death.since): \(death.why); run `\(record.name.connectCommand)`")
        } else {
            lines.append("\(record.name)  live")
        }
        let ends = record.refreshEnds.map { ", ends \($0) if it is not used" } ?? ""
        lines.append("    app \(record.clientID), connected \(record.connectedAt), renewed \(record.renewedAt)\(ends)")
        let left = record.remaining > .zero ? "for \(record.remaining.components.seconds) s more" : "has ended"
        lines.append("    access token \(left); generation \(record.generation), sealed with key \(record.keyID)")
        if let since = record.unansweredSince { lines.append("    a renewal of \(since) has not been answered yet") }
        return lines
    }
}

/// `tillbridge disconnect`: ends a grant here and, where it can be done, at the service.
struct DisconnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disconnect", abstract: "Ends a connection: withdraws the tokens and forgets them.")

    @OptionGroup var options: WorkerOptions
    @Argument(help: "The connection as `tillbridge connections` lists it, such as xero or kounta/harbour.")
    var connection: String
    @Option(help: "End access to this organisation of Xero's alone, by its key; the connection stays for the others.")
    var organisation: String?
    @Flag(help: "Forget the tokens here without telling the service.")
    var local = false

    func run() async throws {
        guard let name = ConnectionName(connection) else {
            throw StartError("`\(connection)` is no connection: see `tillbridge connections`")
        }
        try await OperatorDesk.with(options) { desk in
            if let organisation { return try await Self.end(organisation, name, desk) }
            var note: String?
            if !local {
                let credentials = try desk.credentials()
                guard let stored = try await credentials.connection(name) else { throw Self.absent(name) }
                note = await (try desk.endpoint(name.service)).revoke(stored.pair.refresh)
                if let note, name.service == .xero {
                    throw StartError(
                        "Xero did not end the grant (\(note)): nothing was changed; --local forgets it here alone")
                }
            }
            guard try await desk.store.forget(name) else { throw Self.absent(name) }
            OperatorDesk.say("disconnected: \(name)" + (note.map { "; \($0)" } ?? ""))
        }
    }

    // The optimiser of Swift 6.3.1 crashes on this function (splitting its coroutine); nobody waits for it.
    @_optimize(none)
    private static func end(_ key: String, _ name: ConnectionName, _ desk: OperatorDesk) async throws {
        let tenant = desk.settings.organisations.first { $0.key.text == key }?.tenant
        let listed = try await desk.store.connections().first { $0.record.name == name }
        guard let tenant, let link = listed?.tenants.first(where: { $0.tenant == tenant }) else {
            throw StartError("the connection \(name) covers no organisation `\(key)`: see `tillbridge connections`")
        }
        let tokens = SharedTokens(name, store: try desk.credentials(), endpoint: try desk.endpoint(.xero)) { _ in }
        let token = Secret(try await tokens.accessToken())
        try await XeroDirectory(http: desk.http, base: desk.settings.connections.xero).remove(link.connectionID, token)
        try await desk.store.forget(tenant: tenant)
        OperatorDesk.say("disconnected: \(link.name) (organisation \(key)); \(name) stays for its other organisations")
    }

    private static func absent(_ name: ConnectionName) -> StartError {
        StartError("there is no connection \(name): see `tillbridge connections`")
    }
}
