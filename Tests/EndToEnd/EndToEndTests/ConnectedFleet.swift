import Credentials
import Foundation
import HTTP
import JSON
import Postgres
import Settings
import Testing

@testable import FleetHarness

/// A fleet whose way into both services is what a person granted, instead of credentials of its own.
struct ConnectedFleet {
    let running: RunningFleet
    /// What must be in no output.
    private(set) var secrets = ["xero-app-hush-4711", "kounta-app-hush-0815"]
    let environment: [String: String]
    private let http = HTTPClient(name: "tb-browser")

    init(_ running: RunningFleet) async throws {
        self.running = running
        var environment = [
            "TILLBRIDGE_XERO_CLIENT_ID": "xero-app", "TILLBRIDGE_XERO_CLIENT_SECRET": "xero-app-hush-4711",
            "TILLBRIDGE_KOUNTA_CLIENT_ID": "kounta-app", "TILLBRIDGE_KOUNTA_CLIENT_SECRET": "kounta-app-hush-0815",
            // Everything a worker may say.
            "LOG_LEVEL": "trace",
        ]
        // No credentials of their own: an empty variable is one that is not set.
        for service in ["XERO", "KOUNTA"] {
            for key in ["HARBOUR", "LAKESIDE"] {
                environment["TILLBRIDGE_\(service)_\(key)_CLIENT_ID"] = ""
                environment["TILLBRIDGE_\(service)_\(key)_CLIENT_SECRET"] = ""
            }
        }
        self.environment = environment
        let entry = try await output(["keys", "new", "--id", "k1"]).text.trimmingCharacters(in: .newlines)
        try addKey(entry)
    }

    private init(_ other: ConnectedFleet, environment: [String: String], secrets: [String]) {
        running = other.running
        self.environment = environment
        self.secrets = secrets
    }

    private mutating func addKey(_ entry: String) throws {
        self = ConnectedFleet(
            self, environment: environment.merging(["TILLBRIDGE_KEY": entry]) { $1 },
            secrets: secrets + [String(entry.split(separator: ":")[1])])
    }

    /// With another key in front of the one in use.
    func withNewKey(_ id: String) async throws -> ConnectedFleet {
        let entry = try await output(["keys", "new", "--id", id]).text.trimmingCharacters(in: .newlines)
        let old = environment["TILLBRIDGE_KEY"] ?? ""
        return ConnectedFleet(
            self, environment: environment.merging(["TILLBRIDGE_KEY": "\(entry),\(old)"]) { $1 },
            secrets: secrets + [String(entry.split(separator: ":")[1])])
    }

    func start(_ name: String, log: String) async throws -> ChildProcess {
        try await running.fleet.startWorker(name, log: log, environment: environment)
    }

    /// Runs `tillbridge` to its end.
    func output(_ arguments: [String], environment more: [String: String] = [:]) async throws
        -> (status: Int32, text: String)
    {
        // Commands of one name run one after the other: the log is their output.
        let log = arguments.joined(separator: "-").filter { $0.isLetter || $0.isNumber || $0 == "-" }
        let child = try await running.fleet.startWorker(
            "tillbridge", log: log, environment: environment.merging(more) { $1 }, arguments: arguments)
        let status = await child.waitForExit()
        await running.fleet.children.remove(child)
        return (status, try text(log))
    }

    /// Runs `tillbridge connect …` and is the person at the browser.
    ///
    /// - Parameter visit: changes the address before it is opened.
    func connect(
        _ arguments: [String], log: String, visit: (String) -> String = { $0 }
    ) async throws -> (status: Int32, text: String) {
        let child = try await running.fleet.startWorker(
            "tillbridge", log: log, environment: environment, arguments: ["connect"] + arguments)
        // It ends by itself, and that is no fault.
        await running.fleet.children.remove(child)
        var address: String?
        try await running.wait("the address") {
            let line = try text(log).split(separator: "\n").first { $0.hasPrefix("  http") }
            address = line.map { String($0.dropFirst(2)) }
            return address != nil || !child.isRunning
        }
        if let address {
            let location = try #require(try await open(visit(address)).location)
            let page = try await open(location)
            #expect(page.status == 200, "\(page.text)")
        }
        let status = await child.waitForExit()
        return (status, try text(log))
    }

    func open(_ address: String) async throws -> (status: Int, text: String, location: String?) {
        let request = HTTPRequest(method: .get, url: address)
        guard case .answered(let response) = await http.send(request) else {
            throw HarnessError("nobody answers at \(address.prefix { $0 != "?" })")
        }
        return (response.status, String(decoding: response.body, as: UTF8.self), response.headers["Location"])
    }

    func text(_ log: String) throws -> String {
        try String(contentsOfFile: "\(running.fleet.options.folder)/\(log).log", encoding: .utf8)
    }

    /// Every token that is stored now, opened with the key: what must be seen nowhere.
    func tokens() async throws -> [String] {
        let ring = try KeyRing(parsing: Secret(environment["TILLBRIDGE_KEY"] ?? ""))
        let rows = try await running.rows(
            "SELECT name, client_id, generation, key_id, sealed FROM \(running.fleet.schema).credential")
        return try rows.flatMap { row in
            let name = try #require(ConnectionName(try row.text("name")))
            let pair = try ring.open(
                SealedTokens(keyID: try row.text("key_id"), bytes: try row.bytes("sealed")), name,
                clientID: try row.text("client_id"), generation: try row.int("generation"))
            return [pair.access.revealed, pair.refresh.revealed]
        }
    }

    /// Token calls of that kind which the simulated Xero answered.
    func tokenCalls(_ kind: String) async throws -> Int {
        let counters = try await running.fleet.xero.get("/_control/counters")
        return Int(counters["tokenCalls"]?[key: kind]?.integer ?? 0)
    }

    func changeXero(_ members: String) async throws {
        let tenant = try #require(running.fleet.plan.organisations.first?.tenant)
        try await running.fleet.xero.post("/_control/organisations", #"{"tenantId":"\#(tenant)",\#(members)}"#)
    }

    /// So that every process finds the tokens due.
    func letTokensEnd(in seconds: Int) async throws {
        _ = try await running.rows(
            """
            UPDATE \(running.fleet.schema).credential
               SET renewed_at = clock_timestamp() - interval '1790 seconds',
                   access_ends = clock_timestamp() + interval '\(seconds) seconds'
            """)
    }

    func close() async { await http.close() }
}
