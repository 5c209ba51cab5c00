import Foundation
import JSON
import Yams

/// Xero's own description of its accounting interface (OpenAPI), as far as requests are concerned. It is no part of the
/// project.
struct Contract: Sendable {
    struct Parameter: Sendable {
        /// `query`, `path` or `header`.
        let place: String
        let name: String
        let isRequired: Bool
        let schema: Schema
    }

    struct Operation: Sendable {
        let method: String
        /// `{…}` stands for any value: its name.
        let segments: [String]
        let parameters: [Parameter]
        /// By media type; empty for a call without a body.
        let bodies: [String: Schema]
    }

    let operations: [Operation]
    let schemas: [String: Schema]

    static let file: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/contracts/xero_accounting.yaml").standardized
    }()

    static let isThere = FileManager.default.fileExists(atPath: file.path)

    /// Read once: it has 25,000 lines.
    static let xero = Result { try Contract(yaml: String(decoding: Data(contentsOf: file), as: UTF8.self)) }

    private static let methods = ["get", "put", "post", "delete"]

    init(yaml: String) throws {
        guard let root = try Yams.compose(yaml: yaml), let paths = root["paths"]?.mapping,
            let components = root["components"], let named = components["schemas"]?.mapping
        else { throw ContractError("the contract has no paths and schemas") }
        var schemas: [String: Schema] = [:]
        for (name, node) in named { schemas[name.string ?? "?"] = try Schema(node, at: name.string ?? "?") }
        var shared: [String: Parameter] = [:]
        for (name, node) in components["parameters"]?.mapping ?? [:] {
            shared["#/components/parameters/\(name.string ?? "?")"] = try Self.parameter(node)
        }
        func parameters(_ node: Node?) throws -> [Parameter] {
            try (node?.sequence.map(Array.init) ?? []).map { node in
                guard let reference = node["$ref"]?.string else { return try Self.parameter(node) }
                guard let found = shared[reference] else { throw ContractError("\(reference) leads nowhere") }
                return found
            }
        }
        var operations: [Operation] = []
        for (path, node) in paths {
            let common = try parameters(node["parameters"])
            for method in Self.methods {
                guard let operation = node[method] else { continue }
                var bodies: [String: Schema] = [:]
                for (type, body) in operation["requestBody"]?["content"]?.mapping ?? [:] {
                    guard let schema = body["schema"] else { continue }
                    bodies[type.string ?? "?"] = try Schema(schema, at: "\(method) \(path.string ?? "?")")
                }
                operations.append(
                    Operation(
                        method: method.uppercased(), segments: Self.segments(path.string ?? "?"),
                        parameters: common + (try parameters(operation["parameters"])), bodies: bodies))
            }
        }
        self.operations = operations
        self.schemas = schemas
    }

    private static func parameter(_ node: Node) throws -> Parameter {
        guard let place = node["in"]?.string, let name = node["name"]?.string, let schema = node["schema"] else {
            throw ContractError("a parameter without place, name or schema")
        }
        return Parameter(
            place: place, name: name, isRequired: node["required"]?.bool ?? false,
            schema: try Schema(schema, at: "parameter \(name)"))
    }

    static func segments(_ path: some StringProtocol) -> [String] {
        path.split { $0 == "/" }.map { String($0) }
    }
}

struct ContractError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What a value must be.
struct Schema: Sendable {
    enum Kind: Sendable {
        case reference(String)
        case object(properties: [String: Schema], required: [String])
        indirect case array(Schema)
        case text(Text)
        case number(isWhole: Bool)
        case boolean
    }

    struct Text: Sendable {
        var allowed: Set<String> = []
        var lengthMax: Int?
        /// `uuid`, `date`, `byte` …; `day` for what Xero calls a date.
        var format: String?
    }

    let kind: Kind
    /// Only Xero says it.
    let isReadOnly: Bool

    init(_ node: Node, at place: String) throws {
        isReadOnly = node["readOnly"]?.bool ?? false
        if let reference = node["$ref"]?.string {
            let prefix = "#/components/schemas/"
            guard reference.hasPrefix(prefix) else { throw ContractError("\(place): \(reference) leads nowhere") }
            kind = .reference(String(reference.dropFirst(prefix.count)))
            return
        }
        switch node["type"]?.string ?? (node["properties"] == nil ? "?" : "object") {
        case "object":
            var properties: [String: Schema] = [:]
            for (name, property) in node["properties"]?.mapping ?? [:] {
                properties[name.string ?? "?"] = try Schema(property, at: "\(place).\(name.string ?? "?")")
            }
            let required = node["required"]?.sequence?.compactMap(\.string) ?? []
            kind = .object(properties: properties, required: required)
        case "array":
            guard let items = node["items"] else { throw ContractError("\(place): a list of nothing") }
            kind = .array(try Schema(items, at: "\(place)[]"))
        case "string":
            var text = Text(format: node["format"]?.string)
            text.allowed = Set(node["enum"]?.sequence?.compactMap(\.string) ?? [])
            if node["x-is-msdate"]?.bool == true { text.format = "day" }
            text.lengthMax = node["maxLength"]?.int ?? Self.length(in: node["description"]?.string ?? "")
            kind = .text(text)
        case "number": kind = .number(isWhole: false)
        case "integer": kind = .number(isWhole: true)
        case "boolean": kind = .boolean
        case let other: throw ContractError("\(place): a schema of type \(other)")
        }
    }

    /// Some bounds stand in the words alone: "(max length = 255)".
    private static func length(in words: String) -> Int? {
        guard let found = words.firstMatch(of: /max length = (\d+)/) else { return nil }
        return Int(found.output.1)
    }
}
