import Domain
import HTTP
import Kounta
import Messaging
import Settings
import Store

/// A company's till as an operator's command reads it: directly, within the company's own limit.
struct OperatorTill: Sendable {
    private let http: HTTPClient
    let settings: Settings
    let store: PostgresStore
    private let access: OperatorAccess

    init(_ settings: Settings, store: PostgresStore) throws {
        self.settings = settings
        self.store = store
        access = try OperatorAccess(settings, store: store)
        http = HTTPClient(
            name: "tb-http",
            configuration: HTTPConfiguration(
                maxConnectionsPerHost: 4, trustedCertificates: settings.connections.trustedCertificates,
                userAgent: "Tillbridge"))
    }

    /// Nil where the company has no way in.
    func client(of company: CompanySettings) async throws -> KountaClient? {
        guard let way = try await access.way(to: company) else { return nil }
        let clock = LiveClock.clock
        return KountaClient(
            http: http, base: settings.connections.kounta, company: company.kountaID, access: way,
            budget: KountaBudget(callsPerMinute: company.callsPerMinute, now: clock.now, sleep: clock.sleep))
    }

    /// The completed orders of a venue's trading day and what was left on accounts, as Kounta has them now, with what
    /// rules ask of their customers.
    ///
    /// - Parameter known: of other days, but with a part in this one.
    func records(
        of site: SiteID, in company: CompanySettings, from: Instant, until: Instant, besides known: [OrderID]
    ) async throws -> [[UInt8]] {
        guard let client = try await client(of: company) else {
            throw StartError("company \(company.key) has neither a credential nor a connection")
        }
        var records: [[UInt8]] = []
        var seen: Set<OrderID> = []
        for list in [KountaClient.OrderList.complete, .openAccounts] {
            var path: String? = client.firstPagePath(list, site: site, from: from, until: until)
            while let here = path {
                let page: KountaClient.Page
                // Not every company has accounts.
                do { page = try await client.page(here, priority: .rescan) } catch KountaError.notFound
                    where list == .openAccounts { break }
                for row in page.rows where seen.insert(row.id).inserted {
                    if let record = try await client.order(row.id, priority: .rescan) { records.append(record) }
                }
                path = page.next
            }
        }
        for id in known where seen.insert(id).inserted {
            if let record = try await client.order(id, priority: .rescan) { records.append(record) }
        }
        return try await asBooked(records, at: site, in: company, by: client)
    }

    /// What was counted in a venue's tills from a trading day's start on, as Kounta has it now.
    func takings(of site: SiteID, in company: CompanySettings, from: Instant) async throws -> [[UInt8]] {
        guard let client = try await client(of: company) else { return [] }
        // By UTC, a day early: the site's own calendar may be ahead of it or behind.
        let day = CalendarDate(daysSince1970: Int(from.secondsSince1970 / 86_400)).adding(days: -1)
        return try await client.takings(site: site, since: day).map(\.body)
    }

    func close() async {
        await access.close()
        await http.close()
    }
}
