import JSON

/// The companies' customers. Their `created_at` and `updated_at` are always the time of asking, as the service has it,
/// so a change shows in the content alone.
struct CustomerList: Sendable {
    struct Customer: Sendable {
        let id: Int64
        let company: Int64
        var firstName: String
        var lastName: String
        var email: String
        var phone = ""
        var mobile = ""
        var tags: [String] = []
        var referenceID: String?
        var city = "Sydney"
        /// How often the record was written.
        var puts = 0
    }

    /// Customers of each company at the start.
    static let count = 40
    private static let firstNames = ["Lucy", "Sam", "Jamie", "Zoë", "Priya", "Liam", "Mia", "Noah"]
    private static let lastNames = ["Lavender", "O'Brien", "McDonald", "Nguyễn", "Flanders"]

    private(set) var byID: [Int64: Customer] = [:]
    private var idsByCompany: [Int64: [Int64]] = [:]

    init(companies: [SimulatedCompany]) {
        for company in companies {
            for index in 0..<Self.count {
                let guest = Self.guest(index, of: company.id)
                var customer = Customer(
                    id: guest.id, company: company.id, firstName: guest.firstName, lastName: guest.lastName,
                    email: guest.email)
                customer.mobile = "0405 060 \(700 + index)"
                if index % 7 == 0 { customer.tags = ["Gold Member", "Newsletter"] }
                add(customer)
            }
        }
    }

    /// The n-th customer a company starts with, as an order names it.
    static func guest(_ index: Int, of company: Int64) -> TillOrder.Customer {
        let first = firstNames[index % firstNames.count]
        let last = lastNames[index / firstNames.count % lastNames.count]
        return TillOrder.Customer(
            id: company * 1_000 + Int64(index), firstName: first, lastName: last,
            email: "guest\(index)@example-\(company).com")
    }

    private mutating func add(_ customer: Customer) {
        byID[customer.id] = customer
        idsByCompany[customer.company, default: []].append(customer.id)
    }

    func all(of company: Int64) -> [Customer] { (idsByCompany[company] ?? []).compactMap { byID[$0] } }

    /// Takes the fields that `record` names. The id stays.
    /// - Parameter isWhole: what it does not name is empty afterwards.
    mutating func change(_ id: Int64, by record: JSON, isWhole: Bool) {
        guard var customer = byID[id] else { return }
        let puts = customer.puts + 1
        if isWhole { customer = Customer(id: id, company: customer.company, firstName: "", lastName: "", email: "") }
        customer.puts = puts
        customer.take(record)
        byID[id] = customer
    }

    mutating func remove(_ id: Int64) {
        guard let customer = byID.removeValue(forKey: id) else { return }
        idsByCompany[customer.company]?.removeAll { $0 == id }
    }

    /// - Returns: the id of the new customer.
    mutating func create(in company: Int64, from record: JSON) -> Int64 {
        let id = (byID.keys.max() ?? company * 1_000) + 1
        var customer = Customer(id: id, company: company, firstName: "", lastName: "", email: "")
        customer.take(record)
        add(customer)
        return id
    }
}

extension CustomerList.Customer {
    fileprivate mutating func take(_ record: JSON) {
        if let value = record["first_name"]?.string { firstName = value }
        if let value = record["last_name"]?.string { lastName = value }
        if let value = record["primary_email_address"]?.string ?? record["email"]?.string { email = value }
        if let value = record["phone"]?.string { phone = value }
        if let value = record["mobile"]?.string { mobile = value }
        if let value = record["reference_id"]?.string { referenceID = value }
        if let tags = record["tags"] { self.tags = tags.elements.compactMap(\.string) }
    }

    func writeRow(_ writer: inout JSONWriter) {
        writer.object { writer in writeRowMembers(&writer) }
    }

    private func writeRowMembers(_ writer: inout JSONWriter) {
        writer.field("id", id)
        writer.field("company_id", company)
        writer.field("first_name", firstName)
        writer.field("last_name", lastName)
        writer.field("primary_email_address", email)
        writer.key("image")
        writer.null()
        writer.key("reference_id")
        if let referenceID { writer.string(referenceID) } else { writer.null() }
    }

    func writeDetail(_ writer: inout JSONWriter, now: Int64) {
        writer.object { writer in
            writeRowMembers(&writer)
            writer.key("email_addresses")
            writer.array { $0.string(email) }
            writer.field("phone", phone)
            writer.field("mobile", mobile)
            writer.field("accepts_marketing", tags.contains("Newsletter"))
            writer.key("tags")
            writer.array { writer in for tag in tags { writer.string(tag) } }
            writer.key("primary_address")
            writer.object { writer in
                writer.field("id", id + 100_000)
                writer.key("lines")
                writer.array { $0.string("44 Harbour Street") }
                writer.field("city", city)
                writer.field("zone", "NSW")
                writer.field("postal_code", "2000")
                writer.field("country", "AU")
            }
            writer.key("shipping_address")
            writer.null()
            for name in ["created_at", "updated_at"] as [StaticString] {
                writer.key(name)
                writer.time(now)
            }
        }
    }
}

extension JSONWriter {
    /// A time as the service writes it, on Sydney's clock.
    mutating func time(_ unix: Int64) {
        var printer = TillPrinter(capacity: 28)
        printer.time(unix)
        raw(printer.bytes)
    }

    /// An amount with exactly two decimals.
    mutating func field(_ name: StaticString, exactCents cents: Int64) {
        var printer = TillPrinter(capacity: 16)
        printer.exactCents(cents)
        key(name)
        raw(printer.bytes)
    }

    /// An amount without needless zeros.
    mutating func field(_ name: StaticString, cents: Int64) {
        var printer = TillPrinter(capacity: 16)
        printer.cents(cents)
        key(name)
        raw(printer.bytes)
    }
}
