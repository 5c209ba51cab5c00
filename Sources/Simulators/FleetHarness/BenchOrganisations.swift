import Foundation
import KountaSimulator

/// Organisations of a bench run, each with one company of one venue, so that every organisation has a share of its own.
struct BenchOrganisations {
    let count: Int

    /// Kounta's own site, whose menu and tills the made-up orders have.
    private static let site: Int64 = 923

    func key(_ index: Int) -> String { "bench-\(index + 1)" }

    func tenant(_ index: Int) -> String { "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c2a0\(index + 1)" }

    /// The configuration of the run, with the vendors' own limits.
    func write(to path: String) throws {
        var text = "organisations:\n"
        for index in 0..<count {
            text += """
                  - key: \(key(index))
                    name: Bench \(index + 1) Pty Ltd
                    tenant: \(tenant(index))
                    currency: AUD
                    timezone: Australia/Sydney
                    accounts: {sales: "230", tips: "825", rounding: "860", outside_tax_type: BASEXCLUDED}
                    taxes: {"0.1": OUTPUT, "0": EXEMPTOUTPUT}
                    payment_methods: {Cash: "231", Card: "232", "Credit Card": "232", EFTPOS: "232", "Gift card": "233"}
                    fallback_clearing_account: "232"
                    tracking_category: Venue

                """
        }
        text += "companies:\n"
        for index in 0..<count {
            text += """
                  - key: \(key(index))
                    kounta_company: "\(900 + index)"
                    organisation: \(key(index))
                    start_from: 2015-01-01
                    venues:
                      - site: "\(Self.site)"
                        name: Venue \(index + 1)
                        prefix: BN\(index + 1)
                        tracking: Venue \(index + 1)

                """
        }
        try FileManager.default.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: path, atomically: true, encoding: .utf8)
    }

    /// Order number `number` of an organisation, as the poller queues it.
    func order(_ number: Int, of index: Int) -> QueuedOrder {
        let body = OrderGenerator(seed: 7).detail(
            number, company: Int64(900 + index), site: Self.site, createdAt: 1_760_000_000 + Int64(number) * 3)
        return QueuedOrder(body: body, company: key(index), id: OrderGenerator.firstID + Int64(number))
    }
}
