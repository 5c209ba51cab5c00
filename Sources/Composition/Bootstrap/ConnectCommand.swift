import ArgumentParser
import Consent
import Credentials
import Domain
import FoundationEssentials
import Kounta
import Settings
import Store
import Xero

/// `tillbridge connect`: a person opens an address, says yes, and the fleet holds the tokens.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "connect", abstract: "Gets the consent of a person at Xero or Kounta and keeps the tokens.",
        subcommands: [ConnectXeroCommand.self, ConnectKountaCommand.self])
}

struct ConsentOptions: ParsableArguments {
    @Option(help: "The port on 127.0.0.1 that the browser comes back to; 0 takes a free one.")
    var port = 0
    @Option(
        help: """
            The redirect address as it is registered with the app, when it is not http://localhost:<port>/callback. \
            Something must lead from there to 127.0.0.1:<port>.
            """)
    var redirect: String?
    @Option(help: "How long to wait for the answer, such as 5m.")
    var wait = "5m"

    private static let waitMax = Duration.seconds(3600)

    /// Shows the address, waits for the answer and trades it for tokens.
    func tokens(
        from endpoint: TokenEndpoint, _ request: @Sendable @escaping (_ redirect: String) -> ConsentRequest
    ) async throws -> (pair: TokenPair, granted: GrantedTokens) {
        guard let limit = DurationText.parse(wait), limit > .zero, limit <= Self.waitMax else {
            throw StartError("--wait is `\(wait)`, not a duration such as 5m, at most 1h")
        }
        guard (0...65_535).contains(port) else { throw StartError("--port is no port") }
        let path = try redirect.map(Self.path) ?? "/callback"
        let (service, redirect, wait) = (endpoint.service, redirect, wait)
        let (requests, keep) = AsyncStream.makeStream(of: ConsentRequest.self)
        let outcome: RedirectListener.Outcome?
        do {
            outcome = try await RedirectListener(path: path, port: port).wait(
                atMost: limit, for: { port in request(redirect ?? "http://localhost:\(port)/callback") }
            ) { request in
                keep.yield(request)
                OperatorDesk.say(
                    "Open this address in a browser and give access in \(service.title):", "",
                    "  \(request.address)", "",
                    "Waiting up to \(wait) for the answer at \(request.redirect); Ctrl-C gives up.")
            }
        } catch { throw StartError("cannot listen on 127.0.0.1:\(port): \(error)") }
        keep.finish()
        var request: ConsentRequest?
        for await kept in requests { request = kept }
        guard let outcome, let request else {
            throw StartError("nobody answered within \(wait): run the command again")
        }
        switch outcome {
        case .refused(let code): throw StartError("\(service.title) gave no access (\(code)): nothing was changed")
        case .code(let code):
            let answer = await endpoint.exchange(code: code, redirect: request.redirect, verifier: request.verifier)
            return try Self.pair(answer, service)
        }
    }

    private static func path(of redirect: String) throws(StartError) -> String {
        guard let url = URL(string: redirect), let scheme = url.scheme, ["http", "https"].contains(scheme),
            url.host() != nil, url.query() == nil, url.fragment() == nil
        else { throw StartError("--redirect is no address such as http://localhost:8734/callback") }
        return url.path().isEmpty ? "/" : url.path()
    }

    private static func pair(
        _ answer: TokenEndpoint.Answer, _ service: ConnectedService
    ) throws(StartError) -> (pair: TokenPair, granted: GrantedTokens) {
        let name = service.rawValue.uppercased()
        switch answer {
        case .granted(let granted):
            guard let refresh = granted.refresh else {
                throw StartError("\(service.title) sent no refresh token: let the app have offline access")
            }
            return (TokenPair(access: granted.access, refresh: refresh), granted)
        case .grantRefused:
            throw StartError(
                "\(service.title) does not take its own code: it was used, or is too old; run the command again")
        case .appRefused(let code):
            throw StartError(
                "\(service.title) refuses the app (\(code)): correct TILLBRIDGE_\(name)_CLIENT_ID, …_CLIENT_SECRET "
                    + "and the redirect address")
        case .unavailable(let detail), .lost(let detail):
            throw StartError("\(service.title) gave no tokens, run the command again: \(detail)")
        }
    }
}

struct ConnectXeroCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xero", abstract: "Connects the organisations that a user of Xero ticks.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var consent: ConsentOptions
    @Option(help: "A name of its own for a further connection, where one user cannot reach every organisation.")
    var name: String?

    func run() async throws {
        guard let connection = ConnectionName(name.map { "xero/\($0)" } ?? "xero") else {
            throw StartError("--name may hold a–z, 0–9 and -, at most 40 of them")
        }
        try await OperatorDesk.with(options) { desk in
            let credentials = try desk.credentials()
            let endpoint = try desk.endpoint(.xero)
            let login = desk.settings.apps.xeroLogin
            let (pair, granted) = try await consent.tokens(from: endpoint) { redirect in
                .xero(login: login, clientID: endpoint.clientID, redirect: redirect)
            }
            let tenants = try await XeroDirectory(http: desk.http, base: desk.settings.connections.xero)
                .tenants(pair.access)
            guard !tenants.isEmpty else { throw StartError("no organisation was ticked: nothing was kept") }
            try await credentials.connect(
                connection, clientID: endpoint.clientID, tokens: pair, from: granted, tenants: tenants)
            OperatorDesk.say("connected: \(connection)")
            for line in Self.coverage(tenants, desk.settings.organisations) { OperatorDesk.say(line) }
        }
    }

    /// Which organisation of the configuration is covered, and what is missing.
    private static func coverage(_ tenants: [ConnectedTenant], _ organisations: [OrganisationSettings]) -> [String] {
        var lines = tenants.map { tenant in
            let key = organisations.first { $0.tenant == tenant.tenant }?.key.text
            return "  \(tenant.name) (\(tenant.tenant)): "
                + (key.map { "organisation \($0)" } ?? "not in the configuration")
        }
        for organisation in organisations where organisation.credential == nil {
            guard !tenants.contains(where: { $0.tenant == organisation.tenant }) else { continue }
            lines.append("  organisation \(organisation.key): not covered by this connection")
        }
        return lines
    }
}

struct ConnectKountaCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kounta", abstract: "Connects one company of Kounta's.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var consent: ConsentOptions
    @Argument(help: "The key of the company in the configuration.")
    var company: String

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            guard let company = desk.settings.companies.first(where: { $0.key.text == company }) else {
                let known = desk.settings.companies.map(\.key.text).joined(separator: ", ")
                throw StartError("no company has the key `\(company)`: the configuration has \(known)")
            }
            let credentials = try desk.credentials()
            let endpoint = try desk.endpoint(.kounta)
            let login = desk.settings.apps.kountaLogin
            let (pair, granted) = try await consent.tokens(from: endpoint) { redirect in
                .kounta(login: login, clientID: endpoint.clientID, redirect: redirect)
            }
            // A grant covers one company: the wrong one would be read as another's sales.
            let found = try await KountaDirectory(http: desk.http, base: desk.settings.connections.kounta)
                .company(pair.access)
            guard found.id == company.kountaID else {
                throw StartError(
                    "access was given to company \(found.id) (\(found.name)), but `\(company.key)` is company "
                        + "\(company.kountaID): nothing was kept; run the command again and choose that one")
            }
            let name = ConnectionName.kounta(company.key)
            try await credentials.connect(name, clientID: endpoint.clientID, tokens: pair, from: granted, tenants: [])
            OperatorDesk.say("connected: \(name), company \(found.id) (\(found.name))")
        }
    }
}
