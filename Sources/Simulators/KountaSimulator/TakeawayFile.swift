#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// A file of real orders: one row a line of an order, rows of one order anywhere in the file. Columns are found by
/// name: `invoice`, `Order Date` (`dd/mm/yy HH:MM`, local), `description`, `Quantity`, `Product Price` (dollars, tax
/// inclusive); others are ignored.
struct TakeawayFile: Sendable {
    struct Refused: Error, CustomStringConvertible {
        let line: Int
        let reason: String
        var description: String { "line \(line): \(reason)" }
    }

    /// The orders by their time, then by their number.
    private(set) var orders: [TillOrder] = []
    /// What each description is sold as.
    private(set) var products: [MenuItem] = []
    static let firstID: Int64 = 7_000_000_000
    /// An invoice number that comes again on another date is another order; its id moves up by this.
    static let repeatStep: Int64 = 1_000_000_000

    private var productIndex: [ArraySlice<UInt8>: Int] = [:]
    private var orderIndex: [OrderKey: Int] = [:]
    private var dates: [Int64: Int64] = [:]

    private struct OrderKey: Hashable {
        let invoice: Int64
        let date: Int64
    }

    private struct Columns {
        let invoice: Int
        let date: Int
        let description: Int
        let quantity: Int
        let price: Int
        let count: Int

        init(_ header: [ArraySlice<UInt8>]) throws {
            let names = header.map { String(decoding: $0, as: UTF8.self).lowercased() }
            func find(_ name: String) throws -> Int {
                guard let index = names.firstIndex(of: name) else {
                    throw Refused(line: 1, reason: "the header has no column \"\(name)\"")
                }
                return index
            }
            invoice = try find("invoice")
            date = try find("order date")
            description = try find("description")
            quantity = try find("quantity")
            price = try find("product price")
            count = names.count
        }
    }

    init(path: String, companies: [SimulatedCompany]) throws {
        let data: Data
        do { data = try Data(contentsOf: URL(filePath: path)) } catch {
            throw Refused(line: 0, reason: "\(path) cannot be read")
        }
        try self.init(Array(data), companies: companies)
    }

    init(_ bytes: [UInt8], companies: [SimulatedCompany]) throws {
        var reader = RowReader(bytes)
        guard let header = try reader.next() else { throw Refused(line: 1, reason: "the file is empty") }
        let columns = try Columns(header)
        let tills = companies.flatMap { company in
            company.sites.flatMap { site in site.registers.map { (company.id, site.id, $0.id) } }
        }
        while let row = try reader.next() {
            if row.count == 1 && row[0].isEmpty { continue }
            guard row.count == columns.count else {
                throw Refused(line: reader.line, reason: "\(row.count) fields, the header has \(columns.count)")
            }
            try take(row, columns, tills, line: reader.line)
        }
        for index in orders.indices { try finish(index) }
        orders.sort { ($0.createdAt, $0.id) < ($1.createdAt, $1.id) }
        productIndex = [:]
        orderIndex = [:]
        dates = [:]
    }

    private mutating func take(
        _ row: [ArraySlice<UInt8>], _ columns: Columns, _ tills: [(company: Int64, site: Int64, register: Int64)],
        line: Int
    ) throws {
        guard let invoice = Int64(String(decoding: row[columns.invoice], as: UTF8.self)),
            (1..<1_000_000_000).contains(invoice)
        else { throw Refused(line: line, reason: "the invoice is no number") }
        guard let date = Self.date(row[columns.date]) else {
            throw Refused(line: line, reason: "the order date is not dd/mm/yy HH:MM")
        }
        guard let quantity = Amounts.tenThousandths(row[columns.quantity]), quantity != 0 else {
            throw Refused(line: line, reason: "the quantity is no number")
        }
        guard let price = Amounts.cents(row[columns.price]) else {
            throw Refused(line: line, reason: "the price is no amount in whole cents")
        }
        guard price * quantity % 10_000 == 0 else {
            throw Refused(line: line, reason: "price times quantity leaves a part of a cent")
        }
        let key = OrderKey(invoice: invoice, date: date)
        let index: Int
        if let known = orderIndex[key] {
            index = known
        } else {
            let till = tills[Int(invoice) % tills.count]
            let turn = dates[invoice, default: 0]
            dates[invoice] = turn + 1
            index = orders.count
            orderIndex[key] = index
            var order = TillOrder(
                id: Self.firstID + turn * Self.repeatStep + invoice, company: till.company, site: till.site,
                register: till.register, createdAt: date, saleNumber: "T\(invoice)")
            order.isGSTFreeByRate = invoice % 3 == 0
            orders.append(order)
        }
        let product = product(row[columns.description], price)
        var item = TillOrder.Line(productID: product.id, name: product.name, unitCents: price, quantity: quantity)
        item.isGSTFree = product.isGSTFree
        orders[index].lines.append(item)
    }

    private mutating func finish(_ index: Int) throws {
        let listed = orders[index].lines.reduce(0) { $0 + $1.listedCents }
        guard listed >= 0 else {
            throw Refused(line: 0, reason: "order \(orders[index].saleNumber.dropFirst()) has a negative total")
        }
        orders[index].settle()
        let method = orders[index].id % 3 == 0 ? Tender.cash : Tender.card
        orders[index].payments = [.init(method: method, amountCents: orders[index].goodsCents)]
    }

    /// Bottled water is GST-free, everything else a takeaway cooks is taxed.
    private mutating func product(_ name: ArraySlice<UInt8>, _ price: Int64) -> MenuItem {
        if let index = productIndex[name] { return products[index] }
        let text = String(decoding: name, as: UTF8.self)
        let item = MenuItem(
            id: 20_001 + Int64(products.count), name: text, category: "Takeaway", priceCents: price,
            isGSTFree: text.lowercased().contains("water"))
        productIndex[name] = products.count
        products.append(item)
        return item
    }

    /// `03/08/19 20:25` on Sydney's clock; the hour may have one digit.
    private static func date(_ text: ArraySlice<UInt8>) -> Int64? {
        let parts = text.split(omittingEmptySubsequences: false) { !(48...57).contains($0) }
        let separators = text.filter { !(48...57).contains($0) }
        guard parts.count == 5, Array("// :".utf8) == separators else { return nil }
        var values: [Int] = []
        for part in parts {
            guard (1...2).contains(part.count) else { return nil }
            values.append(part.reduce(0) { $0 * 10 + Int($1 - 48) })
        }
        let local = CivilTime(2_000 + Int64(values[2]), values[1], values[0], values[3], values[4])
        return local.isReal ? SydneyClock.instant(of: local) : nil
    }
}

/// Takes comma-separated text apart (RFC 4180: fields may be quoted, quotes doubled, line ends LF or CRLF).
struct RowReader {
    private let bytes: [UInt8]
    private var cursor = 0
    /// The line on which the last row began.
    private(set) var line = 0
    private var nextLine = 1

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { cursor = 3 }
    }

    /// Nil at the end of the file.
    mutating func next() throws -> [ArraySlice<UInt8>]? {
        guard cursor < bytes.count else { return nil }
        line = nextLine
        var row: [ArraySlice<UInt8>] = []
        row.reserveCapacity(8)
        while true {
            row.append(try field())
            guard cursor < bytes.count else { return row }
            let byte = bytes[cursor]
            cursor += 1
            if byte == UInt8(ascii: ",") {
                if cursor == bytes.count { return row + [[]] }
                continue
            }
            if byte == 0x0D && cursor < bytes.count && bytes[cursor] == 0x0A { cursor += 1 }
            nextLine += 1
            return row
        }
    }

    /// A field; the cursor stands on what ended it.
    private mutating func field() throws -> ArraySlice<UInt8> {
        guard bytes[cursor] == UInt8(ascii: "\"") else {
            let start = cursor
            while cursor < bytes.count, bytes[cursor] != UInt8(ascii: ","), bytes[cursor] != 0x0A,
                bytes[cursor] != 0x0D {
                cursor += 1
            }
            return bytes[start..<cursor]
        }
        cursor += 1
        var value: [UInt8] = []
        while cursor < bytes.count {
            let byte = bytes[cursor]
            cursor += 1
            if byte == UInt8(ascii: "\"") {
                if cursor < bytes.count, bytes[cursor] == UInt8(ascii: "\"") {
                    value.append(byte)
                    cursor += 1
                    continue
                }
                if cursor < bytes.count, !Array(",\n\r".utf8).contains(bytes[cursor]) {
                    throw TakeawayFile.Refused(line: line, reason: "something stands after a quoted field")
                }
                return value[...]
            }
            if byte == 0x0A { nextLine += 1 }
            value.append(byte)
        }
        throw TakeawayFile.Refused(line: line, reason: "a quoted field does not end")
    }
}
