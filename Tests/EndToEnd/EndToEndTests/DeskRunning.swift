import AMQP
import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// A fleet whose desk is tried: mapper, writer and dead-letter-handler, fed by hand.
struct DeskRunning {
    let running: RunningFleet
    let messages: Messages

    static let tills = ["mapper", "writer", "dead-letter-handler"]

    /// - Parameter probeInterval: a long one where a person replays, a short one where the group heals by itself.
    static func with(
        _ name: String, probeInterval: String = "1h", workers: [String] = tills, limits: String = "off",
        configuration: String? = nil, environment: [String: String] = [:],
        _ work: (DeskRunning) async throws -> Void
    ) async throws {
        let probes = ["TILLBRIDGE_DESK_PROBE_INTERVAL": probeInterval]
        try await RunningFleet.with(
            "desk-\(name)", limits: limits, configuration: configuration,
            environment: environment.merging(probes) { $1 }
        ) { running in
            let desk = DeskRunning(running: running, messages: Messages(run: running.fleet.run))
            for worker in workers { _ = try await running.fleet.startWorker(worker, log: worker) }
            try await running.fleet.waitUntilReady()
            try await work(desk)
        }
    }

    var schema: String { running.fleet.schema }
    private var tenant: String { running.fleet.plan.organisations[0].tenant }

    /// Changes Harbour's books in the ledger, as in Xero's own pages.
    func inXero(_ members: String) async throws {
        try await running.fleet.xero.post("/_control/organisations", "{\"tenantId\":\"\(tenant)\",\(members)}")
    }

    /// `tillbridge dead-letters …`
    func desk(_ arguments: String...) async throws -> (status: Int32, output: String) {
        try await running.fleet.command(["dead-letters"] + arguments)
    }

    func waitForLetters(_ count: Int, within limit: Duration = .seconds(180)) async throws {
        try await running.wait("\(count) letters", within: limit) {
            guard try await running.watch.counts().dead >= count else { return false }
            return try await unclosed() == count
        }
    }

    func unclosed() async throws -> Int {
        Int(
            try await running.rows(
                "SELECT count(*) AS n FROM \(schema).dead_letter WHERE state IN ('open', 'queued', 'replaying')"
            )[0].int("n"))
    }

    func letters(_ columns: String) async throws -> [[String: String]] {
        let names = columns.split(separator: ",").map { $0.drop { $0 == " " } }
        let list = names.map { "\($0)::text" }.joined(separator: ", ")
        return try await running.rows("SELECT \(list) FROM \(schema).dead_letter ORDER BY id").map { row in
            try names.reduce(into: [:]) { $0[String($1)] = try row.textOrNil(.name(String($1))) }
        }
    }

    func openGroups() async throws -> [Int64] {
        try await running.rows("SELECT id FROM \(schema).dead_letter_group WHERE closed_at IS NULL ORDER BY id")
            .map { try $0.int("id") }
    }

    /// The group there must be one of.
    func group() async throws -> String {
        let groups = try await openGroups()
        let causes = try await desk("groups").output
        try #require(groups.count == 1, "\(causes)")
        return String(groups[0])
    }

    /// The books of Harbour: each invoice's number, total, and what is due on it.
    func books() async throws -> [String] { try await books(of: tenant) }

    func books(of tenant: String) async throws -> [String] {
        let ledger = try await running.fleet.xero.get("/_control/ledger")
        let organisation = ledger["organisations"]?.elements.first { $0["tenantId"]?.string == tenant }
        return (organisation?["invoices"]?.elements ?? []).filter { $0["Status"]?.string != "VOIDED" }.map {
            "\($0["InvoiceNumber"]?.string ?? "?") \($0["Total"]?.numberText ?? "?") due "
                + ($0["AmountDue"]?.numberText ?? "?")
        }.sorted()
    }

    /// Every invoice once, paid to the cent, no letter and no group left.
    func waitForBooks(_ expected: [String], within limit: Duration = .seconds(180)) async throws {
        do {
            try await running.wait("the books", within: limit) { try await books() == expected.sorted() }
            try await running.wait("an empty desk") {
                guard try await unclosed() == 0 else { return false }
                return try await openGroups().isEmpty
            }
            // What the last letters led to has changed nothing any more.
            let last = try await books()
            #expect(last == expected.sorted())
        } catch {
            let state = try await letters("id,state,class,cause,outcome")
            Issue.record("books \(try await books()), letters \(state)")
            throw error
        }
    }
}
