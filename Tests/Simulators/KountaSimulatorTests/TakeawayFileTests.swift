import FoundationEssentials
import JSON
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(3))) struct TakeawayFileTests {
    static let header = "invoice,Order Date,description,Quantity,Product Price,Total products,City\n"

    private func load(_ text: String) throws -> TakeawayFile {
        try TakeawayFile(Array(text.utf8), companies: SimulatedCompany.usual)
    }

    /// The folder that lies beside the repository's own on a developer's machine.
    private static let realFile: [UInt8]? = {
        var folder = URL(filePath: #filePath).deletingLastPathComponent()
        for _ in 0..<6 {
            if let data = try? Data(contentsOf: folder.appending(path: "shared/data/takeaway-orders.csv")) {
                return Array(data)
            }
            folder = folder.deletingLastPathComponent()
        }
        return nil
    }()

    @Test("the real file loads with all its orders, and they come to the file's own sum",
        .enabled(if: realFile != nil, "shared/data/takeaway-orders.csv is not beside the repository"))
    func realOrders() throws {
        let bytes = try #require(Self.realFile)
        let file = try TakeawayFile(bytes, companies: SimulatedCompany.usual)
        #expect(file.orders.count == 13_397)
        #expect(file.orders.reduce(0) { $0 + $1.lines.count } == 74_818)
        // The file's own sum, by other means: it has no quoted field.
        var cents = 0
        for row in bytes.split(separator: 10).dropFirst() {
            let fields = row.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
            let price = String(decoding: fields[4], as: UTF8.self).split(separator: ".")
            let fraction = price.count > 1 ? price[1].padding(2) : "00"
            let quantity = try #require(Int(String(decoding: fields[3], as: UTF8.self)))
            cents += try quantity * (#require(Int(price[0])) * 100 + #require(Int(fraction)))
        }
        #expect(cents == 44_651_745)
        #expect(file.orders.reduce(0) { $0 + Int($1.goodsCents) } == cents)
        #expect(file.orders.reduce(0) { $0 + Int($1.paidCents) } == cents)
        #expect(file.orders.allSatisfy { $0.goodsCents > 0 })
        #expect(Set(file.orders.map(\.id)).count == 13_397)
        #expect(Set(file.orders.map(\.site)).count == 5)
    }

    @Test("rows of an order are gathered from anywhere, fields may be quoted and columns stand in any order")
    func quotedFields() async throws {
        let text = "City,Product Price,description,invoice,Quantity,Order Date\r\n"
            + "\"Kensington, W8\",\"12.95\",\"King \"\"Prawn\"\", hot\",16118,1,03/08/19 20:25\r\n"
            + "London,0.8,\"Two\nlines\",77,1,3/01/19 9:05\r\n"
            + "London,0.5,Still Water,16118,3,03/08/19 20:25\r\n"
        let file = try load(text)
        #expect(file.orders.map(\.id) == [7_000_000_077, 7_000_016_118])
        let order = try JSON(parsing: file.orders[1].json(.complete, shape: OrderShape(), updatedAt: 0))
        #expect(order["total"]?.numberText == "14.45" && order["paid"]?.numberText == "14.45")
        #expect(order["created_at"]?.string == "2019-08-03T20:25:00+10:00")
        let lines = order["lines"]?.elements ?? []
        #expect(lines.map { $0["product"]?["name"]?.string } == ["King \"Prawn\", hot", "Still Water"])
        #expect(lines[0]["unit_price"]?.numberText == "11.7727" && lines[0]["unit_tax"]?.numberText == "1.1773")
        #expect(lines[0]["line_total_ex_tax"]?.numberText == "11.77")
        #expect(lines[0]["line_total_tax"]?.numberText == "1.18")
        #expect(lines[1]["line_total_tax"]?.numberText == "0")
        #expect(file.orders[0].lines[0].name == "Two\nlines")
    }

    @Test("an invoice number that comes again on another date is another order")
    func repeatedNumber() throws {
        let file = try load(Self.header + "5,03/08/19 20:25,A,1,2,1,L\n5,03/08/18 20:25,A,1,3,1,L\n")
        #expect(Set(file.orders.map(\.id)) == [7_000_000_005, 8_000_000_005])
        #expect(file.orders.map(\.goodsCents) == [300, 200])
    }

    @Test("a broken row is refused with its line number", arguments: [
        "x,03/08/19 20:25,A,1,2.00,1,L", "5,31/02/19 20:25,A,1,2.00,1,L", "5,03/08/19 20:25,A,one,2.00,1,L",
        "5,03/08/19 20:25,A,1,2.005,1,L", "5,03/08/19 20:25,A,1,2e3,1,L", "5,03/08/19 20:25,A,1,2.00,1",
        "5,03/08/19 20:25,\"A\"B,1,2.00,1,L", "5,03/08/19 20:25,\"A,1,2.00,1,L", "5,03/08/19,A,1,2.00,1,L",
    ])
    func brokenRows(row: String) throws {
        let text = Self.header + "4,03/08/19 20:25,\"two\nlines\",1,2,1,L\n" + row + "\n"
        let refusal = #expect(throws: TakeawayFile.Refused.self) { try load(text) }
        #expect(refusal?.line == 4)
    }

    @Test("a file without the columns it needs is refused")
    func missingColumn() {
        #expect(throws: TakeawayFile.Refused.self) { try load("invoice,description\n1,A\n") }
        #expect(throws: TakeawayFile.Refused.self) { try load("") }
    }
}

extension Substring {
    fileprivate func padding(_ count: Int) -> Substring { self + String(repeating: "0", count: count - self.count) }
}
