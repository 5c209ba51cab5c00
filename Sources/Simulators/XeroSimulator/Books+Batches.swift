internal import JSON

/// What every endpoint that takes a batch has in common.
extension Books {
    /// Tries the elements of a batch one by one. Good ones are kept whatever the others do, as the vendor keeps them:
    /// with `summarizeErrors=false` each element answers for itself under 200, without it one bad element makes the
    /// whole answer a 400 that shows only the bad ones.
    mutating func batch(
        _ call: Call, _ name: StaticString, limit: Int,
        save: (inout Books, JSON) -> Saved,
        write: (Books, Saved, String?, inout JSONWriter) -> Void
    ) -> Answer {
        let json: JSON
        do throws(JSONError) { json = try JSON(parsing: call.body) } catch { return .invalid(error.description) }
        var elements: [JSON]
        switch json.kind {
        case .array: elements = json.elements
        case .object: elements = json[key: name.description].map { $0.kind == .array ? $0.elements : [$0] } ?? [json]
        default: return .invalid("The body must be an object")
        }
        guard elements.count <= limit else {
            return .invalid("At most \(limit) elements are taken in one call, \(elements.count) were sent")
        }
        elements = call.part.of(elements)
        let saved = elements.map { save(&self, $0) }
        let isSummary = call.query["summarizeErrors"]?.lowercased() != "false"
        if isSummary, saved.contains(where: \.isRefused) {
            return exception(call, name) { books, writer in
                for element in saved where element.isRefused { write(books, element, nil, &writer) }
            }
        }
        return envelope(call, name, capacity: call.body.count * 3) { books, writer in
            for element in saved {
                write(books, element, isSummary ? nil : element.isRefused ? "ERROR" : "OK", &writer)
            }
        }
    }

    /// The usual answer: identifier, status and the records under their name.
    func envelope(
        _ call: Call, _ name: StaticString, capacity: Int = 4096, page: Page? = nil,
        _ content: (Books, inout JSONWriter) -> Void
    ) -> Answer {
        var writer = JSONWriter(capacity: capacity)
        writer.object { writer in
            writer.field("Id", XeroID(high: digest(call.endpoint.utf8), low: UInt64(bitPattern: call.now)).text)
            writer.field("Status", "OK")
            writer.field("ProviderName", "Xero Simulator")
            writer.field("DateTimeUTC", "/Date(\(call.now))/")
            if let page {
                writer.key("pagination")
                writer.object { writer in
                    writer.field("page", page.number)
                    writer.field("pageSize", page.size)
                    writer.field("pageCount", (page.total + page.size - 1) / page.size)
                    writer.field("itemCount", page.total)
                }
            }
            writer.key(name)
            writer.array { content(self, &$0) }
        }
        return Answer(body: writer.bytes)
    }

    /// 400 with the refused elements.
    func exception(_ call: Call, _ name: StaticString, _ content: (Books, inout JSONWriter) -> Void) -> Answer {
        .json(400) { writer in
            writer.field("ErrorNumber", 10)
            writer.field("Type", "ValidationException")
            writer.field("Message", "A validation exception occurred")
            writer.key("Elements")
            writer.array { content(self, &$0) }
        }
    }

    /// A refused element: as it came, with the zero GUID and the vendor's sentences.
    func writeRefused(
        _ json: JSON, _ id: StaticString, _ messages: [String], flag: StaticString, status: String? = nil,
        to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.field(id, XeroID.zero.text)
            let own: Set = [id.description, flag.description, "ValidationErrors", "StatusAttributeString"]
            for (key, value) in json.members where !own.contains(key) {
                writer.key(dynamic: key)
                writer.raw(value.raw)
            }
            writer.field(flag, true)
            if let status { writer.field("StatusAttributeString", status) }
            writeErrors(messages, to: &writer)
        }
    }

    func writeRefusedContact(
        _ json: JSON, _ id: XeroID, _ messages: [String], status: String?, to writer: inout JSONWriter
    ) {
        writer.object { writer in
            writer.field("ContactID", id.text)
            let lists: [StaticString] = ["Addresses", "Phones", "ContactGroups", "ContactPersons"]
            let own = Set(lists.map(\.description)).union(["ContactID", "IsCustomer", "ValidationErrors"])
            for (key, value) in json.members where !own.contains(key) {
                writer.key(dynamic: key)
                writer.raw(value.raw)
            }
            for list in lists {
                writer.key(list)
                writer.raw(json[key: list.description]?.raw ?? Array("[]".utf8)[...])
            }
            writer.field("IsCustomer", false)
            writer.field("HasValidationErrors", true)
            if let status { writer.field("StatusAttributeString", status) }
            writeErrors(messages, to: &writer)
        }
    }
}

/// One page of a list.
struct Page {
    let number: Int
    let size: Int
    /// Elements on all pages.
    let total: Int

    /// Nil where the call asks for no page.
    init?(_ query: Query, total: Int) throws(Refusal) {
        guard let text = query["page"] else { return nil }
        guard let number = Int(text), number >= 1 else { throw Refusal("page must be 1 or more") }
        let size = try query["pageSize"].map { (text) throws(Refusal) -> Int in
            guard let size = Int(text), (1...1000).contains(size) else { throw Refusal("pageSize must be 1 to 1000") }
            return size
        }
        self.number = number
        self.size = size ?? 100
        self.total = total
    }

    func slice<Element>(_ elements: [Element]) -> ArraySlice<Element> {
        let start = min((number - 1) * size, elements.count)
        return elements[start..<min(start + size, elements.count)]
    }
}
