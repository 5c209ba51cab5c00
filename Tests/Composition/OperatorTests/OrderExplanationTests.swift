import Domain
import JSON
import Mapping
import Money
import Operator
import Settings
import Testing

@Suite("Explaining an order") struct OrderExplanationTests {
    private let order: Order = {
        var line = OrderLine(
            number: 1, name: "Flat white", quantity: .one, recorded: ExactDecimal(5), isFromUnitPrice: false,
            taxRates: [ExactDecimal("0.1")!])
        line.categories = ["Coffee"]
        return Order(
            id: OrderID("7000016118"), site: SiteID("923"), status: "COMPLETE",
            createdAt: Instant(iso8601: "2026-11-23T10:00:00Z")!, total: ExactDecimal(5), lines: [line],
            payments: [Tender(method: "Card", amount: ExactDecimal(5))])
    }()

    private func books(_ old: String = "", _ new: String = "") throws -> VenueBooks {
        try #require(try ChartCheckTests.settings(ChartCheckTests.yaml.replacing(old, with: new)).books.values.first)
    }

    private func json(_ explanation: OrderExplanation) throws -> JSON {
        var writer = JSONWriter()
        explanation.write(to: &writer)
        return try JSON(parsing: writer.bytes)
    }

    @Test("an order booked by the present mapping is explained once, with the mapping's number and the rule")
    func present() throws {
        let stored = OrderExplanation.Stored(version: 7, isExact: true)
        let explanation = OrderExplanation(of: order, by: try books(), contactName: "Walk-in", stored: stored)
        let text = explanation.lines().joined(separator: "\n")
        #expect(text.contains("was booked by mapping 7, the present one") && text.contains("by category"))
        #expect(try json(explanation)["booked_by"]?["is_present"]?.bool == true)
        #expect(try json(explanation)["booked_by"]?["documents"] == nil)
    }

    @Test("where the mapping has changed, what each makes of the order is shown, and which is which")
    func changed() throws {
        let stored = OrderExplanation.Stored(version: 7, isExact: true, books: try books())
        let explanation = OrderExplanation(
            of: order, by: try books("Coffee: \"200\"", "Coffee: \"205\""), contactName: "Walk-in", stored: stored)
        let lines = explanation.lines()
        let (then, now) = (lines.firstIndex { $0.contains("200  ") }, lines.firstIndex { $0.contains("205  ") })
        let heading = try #require(lines.firstIndex { $0.hasPrefix("as the mapping would have it now") })
        #expect(try #require(then) < heading && heading < (try #require(now)), "\(lines)")
        #expect(lines.contains { $0.contains("mapping 7, which is not the present one") })
        let json = try json(explanation)
        func account(_ json: JSON?) -> String? {
            json?["documents"]?.elements.first?["lines"]?.elements.first?["account"]?.string
        }
        #expect(account(json["booked_by"]) == "200" && account(json) == "205")
        #expect(json["booked_by"]?["is_present"]?.bool == false)
    }

    @Test("a stored mapping that cannot be read any more is said so; one known by its time only is said so too")
    func unreadable() throws {
        let stored = OrderExplanation.Stored(version: 7, isExact: false, problem: "it has 1 problem")
        let explanation = OrderExplanation(of: order, by: try books(), contactName: "Walk-in", stored: stored)
        let text = explanation.lines().joined(separator: "\n")
        #expect(text.contains("it has 1 problem") && text.contains("which was in effect then"))
        #expect(explanation.exitCode == 0)
    }
}
