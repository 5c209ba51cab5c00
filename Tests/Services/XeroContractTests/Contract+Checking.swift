import JSON

/// One call as it went over the wire.
struct WireCall {
    var method: String
    /// Below the base address, without query.
    var path: String
    var query: [(name: String, value: String)] = []
    /// Names in small letters.
    var headers: [String: String] = [:]
    var body: [UInt8] = []

    var title: String { "\(method) \(path)" }
}

extension Contract {
    /// Every way in which a call is not as Xero's description has it; empty where it is.
    func problems(of call: WireCall) -> [String] {
        let matches = operations.filter { $0.method == call.method && Self.matches($0.segments, call.path) }
        guard !matches.isEmpty else { return ["\(call.title): there is no such call"] }
        // `/Contacts/{ContactNumber}` and `/Contacts/{ContactID}` look alike: one of them must be meant.
        return matches.map { problems(of: call, as: $0) }.min { $0.count < $1.count } ?? []
    }

    private static func matches(_ segments: [String], _ path: String) -> Bool {
        let parts = Self.segments(path)
        return parts.count == segments.count
            && zip(segments, parts).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
    }

    private func problems(of call: WireCall, as operation: Operation) -> [String] {
        var problems: [String] = []
        for (name, value) in call.query {
            guard let parameter = operation.parameters.first(where: { $0.place == "query" && $0.name == name }) else {
                problems.append("\(call.title): there is no parameter \(name)")
                continue
            }
            problems += self.problems(ofText: value, parameter.schema, "\(call.title)?\(name)")
        }
        for (segment, value) in zip(operation.segments, Self.segments(call.path)) where segment.hasPrefix("{") {
            let name = segment.dropFirst().dropLast()
            guard let parameter = operation.parameters.first(where: { $0.place == "path" && $0.name == name }) else {
                problems.append("\(call.title): the part \(name) of the path is not described")
                continue
            }
            problems += self.problems(ofText: value, parameter.schema, "\(call.title) {\(name)}")
        }
        for parameter in operation.parameters where parameter.isRequired {
            let isThere =
                switch parameter.place {
                case "header": call.headers[parameter.name.lowercased()]?.isEmpty == false
                case "query": call.query.contains { $0.name == parameter.name }
                default: true
                }
            if !isThere { problems.append("\(call.title): \(parameter.name) is missing") }
        }
        if let key = call.headers["idempotency-key"], key.isEmpty || key.utf8.count > 128 {
            problems.append("\(call.title): a key of \(key.utf8.count) letters")
        }
        return problems + bodyProblems(of: call, as: operation)
    }

    private func bodyProblems(of call: WireCall, as operation: Operation) -> [String] {
        if operation.bodies.isEmpty { return call.body.isEmpty ? [] : ["\(call.title) takes no body"] }
        if call.body.isEmpty { return ["\(call.title) needs a body"] }
        guard let schema = operation.bodies["application/json"] else {
            // A file: any bytes will do.
            return operation.bodies["application/octet-stream"] == nil ? ["\(call.title): no known kind of body"] : []
        }
        guard call.headers["content-type"]?.hasPrefix("application/json") == true else {
            return ["\(call.title): the body is not called JSON"]
        }
        guard let json = try? JSON(parsing: call.body) else { return ["\(call.title): the body is no JSON"] }
        return problems(of: json, schema, call.title)
    }

    // MARK: values

    func problems(of json: JSON, _ schema: Schema, _ place: String) -> [String] {
        switch schema.kind {
        case .reference(let name):
            guard let schema = schemas[name] else { return ["\(place): there is no schema \(name)"] }
            return problems(of: json, schema, place)
        case .object(let properties, let required):
            guard json.kind == .object else { return ["\(place): no object"] }
            var problems: [String] = []
            var seen: Set<String> = []
            for (name, value) in json.members {
                let place = "\(place).\(name)"
                if !seen.insert(name).inserted { problems.append("\(place): there twice") }
                guard let property = properties[name] else {
                    problems.append("\(place): there is no such field")
                    continue
                }
                if property.isReadOnly { problems.append("\(place): only Xero says this") }
                problems += self.problems(of: value, property, place)
            }
            return problems + required.filter { !seen.contains($0) }.map { "\(place).\($0): missing" }
        case .array(let element):
            guard json.kind == .array else { return ["\(place): no list"] }
            return json.elements.enumerated().flatMap { problems(of: $1, element, "\(place)[\($0)]") }
        case .text(let text):
            guard let value = json.string else { return ["\(place): no text"] }
            return problems(of: value, text, place)
        case .number(let isWhole):
            guard let digits = json.numberText else { return ["\(place): no number"] }
            let isPlain = digits.utf8.allSatisfy {
                (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-") || (!isWhole && $0 == UInt8(ascii: "."))
            }
            return isPlain ? [] : ["\(place): \(digits) is no plain number"]
        case .boolean: return json.bool == nil ? ["\(place): neither true nor false"] : []
        }
    }

    private func problems(of value: String, _ text: Schema.Text, _ place: String) -> [String] {
        var problems: [String] = []
        if !text.allowed.isEmpty, !text.allowed.contains(value) {
            problems.append("\(place): `\(value)` is none of \(text.allowed.sorted().joined(separator: ", "))")
        }
        if let most = text.lengthMax, value.count > most {
            problems.append("\(place): \(value.count) letters, at most \(most) are taken")
        }
        let isWell =
            switch text.format {
            case "uuid": value.wholeMatch(of: /[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}/) != nil
            case "day", "date": value.wholeMatch(of: /\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])/) != nil
            default: true
            }
        if !isWell { problems.append("\(place): `\(value)` is no \(text.format ?? "value")") }
        return problems
    }

    /// A value in an address: always a text.
    private func problems(ofText value: String, _ schema: Schema, _ place: String) -> [String] {
        switch schema.kind {
        case .text(let text): return problems(of: value, text, place)
        case .number: return value.utf8.allSatisfy { (0x30...0x39).contains($0) } ? [] : ["\(place): no number"]
        case .boolean: return ["true", "false"].contains(value) ? [] : ["\(place): neither true nor false"]
        case .array(let element):
            return value.split(separator: ",").flatMap { problems(ofText: String($0), element, place) }
        case .reference(let name):
            guard let schema = schemas[name] else { return ["\(place): there is no schema \(name)"] }
            return problems(ofText: value, schema, place)
        case .object: return ["\(place): an object in an address"]
        }
    }
}
