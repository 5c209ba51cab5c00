internal import JSON

/// What of a batch is carried out before the call fails.
enum BatchPart: String, Sendable {
    case whole
    case firstHalf
    /// The first, the third …: of the two payments of an invoice that stand side by side, one.
    case everyOther
    /// Of the payments of one invoice that come together the smallest, and nothing else: sent again without a look, it
    /// would be taken a second time.
    case smallestOfSeveral

    func of(_ elements: [JSON]) -> [JSON] {
        switch self {
        case .smallestOfSeveral: Self.smallestOfSeveral(elements)
        case .whole: elements
        case .firstHalf: Array(elements.prefix((elements.count + 1) / 2))
        case .everyOther: elements.enumerated().filter { $0.offset % 2 == 0 }.map(\.element)
        }
    }

    private static func smallestOfSeveral(_ elements: [JSON]) -> [JSON] {
        var order: [String] = []
        var payments: [String: [JSON]] = [:]
        for element in elements {
            guard let invoice = element["Invoice"]?["InvoiceID"]?.string else { continue }
            if payments[invoice] == nil { order.append(invoice) }
            payments[invoice, default: []].append(element)
        }
        func units(_ payment: JSON) -> Int64 {
            payment["Amount"]?.numberText.flatMap { Fixed(digits: $0.utf8) }?.units ?? 0
        }
        return order.compactMap { invoice in
            guard let several = payments[invoice], several.count > 1 else { return nil }
            return several.min { units($0) < units($1) }
        }
    }
}

/// A planned misbehaviour of the simulator: which calls it hits, what it does to them, how often.
struct Fault: Sendable {
    enum Drop: String, Sendable {
        /// The connection is closed and nothing was done.
        case before
        /// The connection is closed and everything was done.
        case after
    }

    var method: String?
    var pathPrefix: String?
    var tenant: String?
    /// Stands in the body of the calls it hits.
    var text: [UInt8]?

    /// With a status the call is answered so: without effect, unless `commits` or `part` says otherwise.
    var status: Int?
    var body: [UInt8] = []
    var contentType: String?
    var headers: [(name: String, value: String)] = []
    var delay: Duration = .zero
    /// The call waits until the faults are taken away.
    var isHeld = false
    /// How often they had been when it was hit.
    var clearings = 0
    var drop: Drop?
    var commits = false
    var part = BatchPart.whole

    /// Calls it still hits; nil means all of them.
    var remaining: Int?
    /// Of the matching calls, which part it hits, 0 to 1; decided by its own dice.
    var share: Double?
    var dice: SeededGenerator

    /// `{"match":{"method","path","tenant","text"},"action":{"status","body","headers","delayMs","hold","drop",
    /// "commit","halfBatch"},"count","share","seed"}`; everything but `action` may be left out.
    init(_ json: JSON) throws(SettingsError) {
        guard let action = json["action"] else { throw SettingsError("a fault needs an action") }
        method = json["match"]?["method"]?.string
        pathPrefix = json["match"]?["path"]?.string
        tenant = json["match"]?["tenant"]?.string
        text = json["match"]?["text"]?.string.map { Array($0.utf8) }
        status = action["status"]?.integer.map(Int.init)
        if let value = action["body"] {
            if let text = value.string {
                body = Array(text.utf8)
                contentType = "text/plain; charset=utf-8"
            } else {
                body = Array(value.raw)
                contentType = "application/json; charset=utf-8"
            }
        }
        for (name, value) in action["headers"]?.members ?? [] {
            let text = value.string ?? String(decoding: value.raw, as: UTF8.self)
            if name.lowercased() == "content-type" { contentType = text } else { headers.append((name, text)) }
        }
        delay = .milliseconds(action["delayMs"]?.integer ?? 0)
        isHeld = action["hold"]?.bool ?? false
        if let text = action["drop"]?.string {
            guard let drop = Drop(rawValue: text) else { throw SettingsError("drop is 'before' or 'after'") }
            self.drop = drop
        }
        commits = action["commit"]?.bool ?? false
        if let text = action["halfBatch"]?.string {
            guard let part = BatchPart(rawValue: text) else {
                throw SettingsError("halfBatch is true, 'firstHalf', 'everyOther' or 'smallestOfSeveral'")
            }
            self.part = part
        } else if action["halfBatch"]?.bool == true {
            part = .firstHalf
        }
        remaining = json["count"]?.integer.map(Int.init)
        share = json["share"]?.numberText.flatMap(Double.init)
        dice = SeededGenerator(seed: UInt64(bitPattern: json["seed"]?.integer ?? 1))
        if let status, !(200...599).contains(status) { throw SettingsError("the status \(status) is none") }
    }

    /// Whether the call is hit. Throws the dice and counts, so it is asked once a call.
    mutating func strikes(_ method: String, _ path: String, _ tenant: String?, _ body: [UInt8]) -> Bool {
        if remaining == 0 { return false }
        if let wanted = self.method, wanted != method { return false }
        if let pathPrefix, !path.hasPrefix(pathPrefix) { return false }
        if let wanted = self.tenant, wanted != tenant { return false }
        if let text, body.firstRange(of: text) == nil { return false }
        // A chance, not an amount: the one place where binary floating point is right.
        if let share, Double(dice.next() >> 11) / Double(1 << 53) >= share { return false }
        remaining = remaining.map { $0 - 1 }
        return true
    }

    /// The answer in the place of the true one; nil keeps the true one.
    var answer: Answer? {
        guard let status = status ?? (part != .whole && drop == nil ? 500 : nil) else { return nil }
        if body.isEmpty, status == 500 {
            var answer = Answer.problem(500, "An error occurred", "An error occurred in Xero.")
            answer.headers = headers
            return answer
        }
        return Answer(status: status, contentType: contentType, headers: headers, body: body)
    }

    /// Whether the books are touched at all.
    var reachesBooks: Bool { drop != .before && (status == nil || commits || part != .whole || drop == .after) }

    /// Whether the vendor would keep the answer under the call's key although nothing was done: it answered the request
    /// itself. What refuses at the door (a limit, an organisation offline) or on the way keeps nothing.
    var isStored: Bool { !reachesBooks && drop == nil && (status == 400 || status == 500) }
}
