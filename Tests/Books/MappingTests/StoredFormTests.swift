import Domain
import Mapping
import Money
import OrderRecipes
import Testing

@Suite struct StoredFormTests {
    private let mapping = OrderMapping(books: .complete)

    @Test("what is stored is read back equal, documents and entries, for every kind of order: property")
    func property() {
        let failure = PropertyRun.play(5_000) { recipe in
            let order = recipe.order(id: 5_000_000_001)
            guard case .documents(let documents) = mapping.version(of: order) else { return "not bookable" }
            for document in documents {
                guard let read = try? LedgerDocument(stored: document.stored), read == document else {
                    return String(decoding: document.stored, as: UTF8.self)
                }
            }
            for entry in mapping.entries(of: documents, for: order) {
                guard (try? DayEntry(stored: entry.stored)) == entry else {
                    return String(decoding: entry.stored, as: UTF8.self)
                }
            }
            return nil
        }
        #expect(failure == nil, "\(failure ?? "")")
    }

    private var whole: LedgerDocument {
        get throws {
            var order = Order.example(total: "20.00", lines: [.example("Pie \"hot\"\n", "3", "20.00")], payments: [])
            order.customer = Customer(id: "3842", firstName: "Lucy", lastName: "Lavender", email: "l@x.y")
            order.customer?.tags = ["Gold"]
            order.totalTax = decimal("1.82")
            var document = try #require(try mapping.documents(for: order).first)
            document.slot = .reversal(3)
            document.day = CalendarDate("2026-11-01")!
            document.brandingTheme = "t-1"
            document.lines[0].itemCode = "PIE"
            document.allocations = [
                LedgerAllocation(invoice: DocumentNumber("HBR-1"), amount: Money(cents: 5), date: document.date)
            ]
            document.warnings = ["Look at it."]
            return document
        }
    }

    @Test("every field survives, the rare ones too")
    func rareFields() throws {
        let document = try whole
        #expect(document.tillTax?.cents == 182 && document.customer?.tags == ["Gold"] && document.isOnAccount)
        #expect(try LedgerDocument(stored: document.stored) == document)
        let variance = DayEntry(
            source: .variance(method: "Cash"), day: document.day, isRefund: true, parts: [], payments: [])
        #expect(try DayEntry(stored: variance.stored) == variance)
    }

    @Test("no damaged record makes it crash, and none is read as something else in silence", arguments: [0, 1, 2])
    func damaged(_ offset: Int) throws {
        let bytes = try whole.stored
        for length in stride(from: offset, to: bytes.count, by: 3) {
            #expect(throws: StoredFormError.self) { try LedgerDocument(stored: Array(bytes[..<length])) }
        }
        for index in stride(from: offset, to: bytes.count, by: 3) {
            for byte in [UInt8(0x22), 0x2D, 0x39, 0x7B, 0x00] {
                var bent = bytes
                bent[index] = byte
                _ = try? LedgerDocument(stored: bent)
            }
        }
    }

    @Test("a field that is missing is named")
    func missing() throws {
        let text = String(decoding: try whole.stored, as: UTF8.self)
        for field in ["number", "kind", "slot", "date", "due", "contact", "cents"] {
            let error = #expect(throws: StoredFormError.self) {
                try LedgerDocument(stored: Array(text.replacing("\"\(field)\":", with: "\"other\":").utf8))
            }
            #expect(error?.field == field)
        }
    }
}
