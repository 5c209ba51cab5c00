import JSON
import KountaSimulator

/// Orders that are corrected at the till while the fleet is in trouble: the ledger must end with the corrected version,
/// however late the old one comes once more.
actor ChaosEdits {
    private let fleet: Fleet
    /// Order id → the sale number it was given, which the invoice's reference must show.
    private var made: [String: String] = [:]

    init(_ fleet: Fleet) { self.fleet = fleet }

    /// Gives so many orders that the till has by now another sale number.
    func make(_ count: Int, seed: UInt64) async throws {
        var numbers = SeededNumbers(seed: seed, stream: 0xED17)
        let till = try await fleet.kounta.get("/_control/ledger?orders=1")
        let unbelievable = Set((till["unbelievable"]?.elements ?? []).compactMap(\.numberText))
        var ids = (till["orders"]?.elements ?? []).compactMap { $0["id"]?.numberText }
            .filter { made[$0] == nil && !unbelievable.contains($0) }.sorted()
        for _ in 0..<min(count, ids.count) {
            let id = ids.remove(at: numbers.below(ids.count))
            let saleNumber = "CORRECTED-\(id)"
            try await fleet.kounta.post("/_control/edit/\(id)", #"{"sale_number":"\#(saleNumber)"}"#)
            made[id] = saleNumber
        }
    }

    /// Sentences about corrections that the ledger does not show.
    func missing() async throws -> [String] {
        guard !made.isEmpty else { return [] }
        let ledger = try await fleet.xero.get("/_control/ledger")
        var references: [String: String] = [:]
        for books in ledger["organisations"]?.elements ?? [] {
            for invoice in books["invoices"]?.elements ?? [] where invoice["Status"]?.string != "VOIDED" {
                guard let number = invoice["InvoiceNumber"]?.string else { continue }
                // `HBR-5000000012`, or `-r1` behind it.
                let parts = number.split(separator: "-")
                if parts.count > 1 { references[String(parts[1])] = invoice["Reference"]?.string ?? "" }
            }
        }
        return made.sorted { $0.key < $1.key }.compactMap { id, saleNumber in
            guard references[id]?.contains(saleNumber) != true else { return nil }
            return "order \(id) was corrected to \(saleNumber), its invoice says \(references[id] ?? "nothing")"
        }
    }
}
