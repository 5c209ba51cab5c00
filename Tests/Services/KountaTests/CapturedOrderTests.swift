import Domain
import Foundation
import JSON
import Kounta
import Mapping
import Money
import Testing

/// The vendor's own sample records. They are no part of the project.
private enum Captures {
    static let folder: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/captures/kounta").standardized
    }()

    static let areThere = FileManager.default.fileExists(atPath: folder.path)
}

@Suite("Captured orders", .enabled(if: Captures.areThere, "../shared/captures/kounta is not here"))
struct CapturedOrderTests {
    private func capture(_ name: String) throws -> [UInt8] {
        try Array(Data(contentsOf: Captures.folder.appending(path: name)))
    }

    @Test("the sample order is of the old shape, and its lines and payments are read")
    func order() throws {
        let order = try OrderRecord.order(from: capture("order.json"))
        #expect(order.id.text == "93824701")
        #expect(order.site.text == "2301")
        #expect(!order.isComplete)
        #expect(order.lines.map(\.recorded.description) == ["9.00", "10.00"])
        #expect(order.lines.map(\.isFromUnitPrice) == [true, true])
        let rate = try #require(ExactDecimal("0.1"))
        #expect(order.lines.map(\.taxRates) == [[rate], [rate]])
        // Neither `total` nor `paid`: the payments are what was owed.
        #expect(order.total == ExactDecimal(19))
        #expect(order.payments.map(\.method) == ["Cash", "PayPal"])
        #expect(order.payments.last?.reference == "INV2-8M9F-B8UN-YQ5S-2G7K")
    }

    @Test("who bought what where is read whole from the sample order")
    func circumstances() throws {
        let order = try OrderRecord.order(from: capture("order.json"))
        #expect(
            order.customer
                == Customer(id: "3842", firstName: "Lucy", lastName: "Lavender", email: "lucy@kounta.com"))
        #expect(order.register == "409")
        #expect(order.staff == nil)
        #expect(order.type == nil)
        #expect(order.notes == "Take away, gold member")
        #expect(order.placedAt?.description == "2013-05-29T01:14:06Z")
        #expect(order.lines.map(\.product) == ["7302", "5312"])
        #expect(order.lines.map(\.id) == ["37864193203", "37864193204"])
        #expect(order.lines.map(\.notes) == ["Extra sugar please", nil])
        #expect(order.payments.map(\.id) == ["19230990", "19230996"])
        #expect(!order.isRefund && order.refundedOrder == nil && !order.isOnAccount)
    }

    @Test("the rows of a list lack their site: each is parked with the field's name")
    func rows() throws {
        let rows = try JSON(parsing: capture("orders.json")).elements
        try #require(rows.count == 2)
        for row in rows {
            let park = try #require(throws: Park.self) { _ = try OrderRecord.order(from: Array(row.raw)) }
            #expect(park.cause.contains("`site_id`"))
        }
    }

    /// Kinds of record that the fleet never asks Kounta for, each with the reason.
    private static let unread = [
        "company_2015.json": "only the company that a grant opens is asked for, as companies/me",
        "payment_method_2015.json": "a payment brings its method's name, and the settings name its clearing account",
        "registers.json": "the settings name the registers that rules and tracking look at",
        "site_2015.json": "the settings name the venues, each with its site's id",
        "sites.json": "the settings name the venues, each with its site's id",
        "staff_2015.json": "the settings name the staff that rules and tracking look at",
        "taxes.json": "a line and a product bring the rates of their taxes, and the settings name their tax types",
        "webhook.json": "a hook is never relied on: polling finds everything that it would tell",
    ]

    @Test("a sample customer is read whole, and each row of a list as far as a row goes")
    func customers() throws {
        let customer = try #require(CustomerRecord.customer(from: capture("customer.json")))
        #expect(
            customer
                == TillCustomer(
                    id: "389427", firstName: "Samuel", lastName: "Richardson", email: "sam@richardson.co.nz",
                    phone: "+612 8765 4321", mobile: "0405 060 708", tags: ["Gold Member", "Newsletter"]))
        let rows = try JSON(parsing: capture("customers.json")).elements.map { row in
            try #require(CustomerRecord.customer(from: Array(row.raw)))
        }
        #expect(
            rows == [
                TillCustomer(id: "389427", firstName: "Jamie", lastName: "McDonald", email: "jamie@kounta.kom"),
                TillCustomer(id: "389428", firstName: "Sam", lastName: "Flanders", email: "sam@kounta.kom"),
                TillCustomer(id: "389426", firstName: "Samuel", lastName: "Richardson", email: "disco16@gmail.com"),
            ])
    }

    @Test("every capture is decoded by what reads its kind, or known as one that nothing reads")
    func all() throws {
        for name in try FileManager.default.contentsOfDirectory(atPath: Captures.folder.path).sorted() {
            let body = try capture(name)
            let json = try JSON(parsing: body)
            switch name {
            case "order.json": _ = try OrderRecord.order(from: body)
            case "orders.json": #expect(json.elements.allSatisfy { $0.orderID != nil }, "\(name)")
            case "cashup_2015.json": #expect(try TakingsRecord(from: body).takings.isEmpty == false, "\(name)")
            case "product.json":
                let product = try #require(ProductRecord.product(json))
                #expect(product.id == "1" && product.sku == "wine298" && product.price == ExactDecimal("6.8"))
                #expect(product.tags == ["Fresh Food", "Fragile", "Organic"])
                #expect(product.taxRates == [try #require(ExactDecimal("0.1"))])
            case "companies_me.json":
                let company = try #require(KountaDirectory.Company(json))
                #expect(company.id == "162" && company.name == "Rockin’ & Rollin’ Again")
            case "customer.json": #expect(CustomerRecord.customer(from: body) != nil, "\(name)")
            case "customers.json":
                let rows = json.elements
                #expect(!rows.isEmpty && rows.allSatisfy { CustomerRecord.customer(from: Array($0.raw)) != nil })
            default: #expect(Self.unread[name] != nil, "nobody says what reads \(name)")
            }
        }
    }

    @Test("no other capture is taken for an order, and none makes it crash")
    func others() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Captures.folder.path)
        try #require(names.count > 5)
        for name in names where name != "order.json" {
            let body = try capture(name)
            #expect(throws: Park.self, "\(name)") { _ = try OrderRecord.order(from: body) }
        }
    }
}
