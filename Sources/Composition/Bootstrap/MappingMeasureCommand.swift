import ArgumentParser
import Domain
import Foundation
import JSON
import Kounta
import Mapping
import Settings
import Xero

/// `tillbridge mapping measure`: how fast a configuration's mapping is, for the bench. Nothing is read but files.
struct MappingMeasureCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "measure", abstract: "Measures how many orders a second one core maps with a configuration.",
        shouldDisplay: false)

    @OptionGroup var options: WorkerOptions
    @Option(name: .long, help: "A file of Kounta's order records, one a line.")
    var records: String
    @Option(name: .long, help: "How often each order is mapped.")
    var rounds = 8

    func run() async throws {
        let settings = try LiveSettings.load(path: options.config, for: nil)
        let records = try Data(contentsOf: URL(fileURLWithPath: records)).split(separator: 0x0A).map(Array.init)
        let mappings = Dictionary(settings.books.map { ($0.key.site, OrderMapping(books: $0.value)) }) { one, _ in one }
        let orders = try records.map { record in
            let order = try OrderRecord.order(from: record)
            guard let mapping = mappings[order.site] else { throw StartError("no venue has the site \(order.site)") }
            return (order: order, mapping: mapping)
        }
        guard !orders.isEmpty, rounds > 0 else { throw StartError("there is nothing to measure") }
        var (documents, parked) = (0, 0)
        let mapped = ContinuousClock().measure {
            for _ in 0..<rounds {
                for (order, mapping) in orders {
                    if case .documents(let made) = mapping.version(of: order) { documents += made.count } else {
                        parked += 1
                    }
                }
            }
        }
        var bytes = 0
        // As the mapper does it: from the record's bytes to the body that is stored.
        let read = try ContinuousClock().measure {
            for record in records {
                let order = try OrderRecord.order(from: record)
                guard case .documents(let made)? = mappings[order.site]?.version(of: order) else { continue }
                for document in made { bytes += InvoiceBody.element(document).count }
            }
        }
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("orders", Int64(orders.count))
            writer.field("rules", Int64(settings.organisations.map(\.rules.rules.count).max() ?? 0))
            writer.field("documents", Int64(documents / rounds))
            writer.field("parked", Int64(parked / rounds))
            writer.field("body_bytes", Int64(bytes))
            writer.field("orders_per_second", Self.rate(orders.count * rounds, in: mapped))
            writer.field("records_per_second", Self.rate(records.count, in: read))
        }
        print(writer.text)
    }

    private static func rate(_ count: Int, in duration: Duration) -> Int64 {
        Int64(Double(count) / max(duration / .seconds(1), 1e-9))
    }
}
