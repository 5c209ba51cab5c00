import Foundation
import JSON
import KountaSimulator

/// How many orders a second one core makes documents of: the operator's command over records of the simulated tills,
/// with the example configuration as it is, with ten rules and with two hundred.
struct MappingScenario {
    let options: FleetOptions

    private static let orders = 5_000
    /// Orders a second that one core is held to, with the example configuration as it is.
    static let rateMin = 20_000.0
    /// Where the example's organisations take rules.
    private static let place = "    tracking_category: Venue\n"

    func run(into figures: inout Figures) async throws {
        try FileManager.default.createDirectory(atPath: options.folder, withIntermediateDirectories: true)
        let records = "\(options.folder)/records.jsonl"
        try makeRecords().write(to: URL(fileURLWithPath: records))
        for count in [0, 10, 200] {
            let answer = try await measure(rules: count, records)
            guard answer["rules"]?.integer == Int64(count), answer["parked"]?.integer == 0,
                let rate = answer["orders_per_second"]?.integer, let whole = answer["records_per_second"]?.integer
            else {
                let answer = String(decoding: answer.raw, as: UTF8.self)
                throw HarnessError("the mapping with \(count) rules came to \(answer)")
            }
            let name = count == 0 ? "mapping.orders_per_second" : "mapping.ruled_\(count)_per_second"
            figures.add(name, Double(rate), "orders/s, one core", count == 0 ? .atLeast(Self.rateMin) : nil)
            if count == 10 { figures.add("mapping.records_per_second", Double(whole), "records/s, read and written") }
        }
    }

    private func makeRecords() -> Data {
        let generator = OrderGenerator(seed: 7)
        let sites = SimulatedCompany.usual.flatMap { company in company.sites.map { (company.id, $0.id) } }
        var file = Data()
        for index in 0..<Self.orders {
            let (company, site) = sites[index % sites.count]
            file.append(
                contentsOf: generator.detail(
                    index, company: company, site: site, createdAt: 1_760_000_000 + Int64(index) * 3))
            file.append(0x0A)
        }
        return file
    }

    private func measure(rules count: Int, _ records: String) async throws -> JSON {
        var yaml = try String(contentsOfFile: options.configuration, encoding: .utf8)
        if count > 0 {
            let rules = "    rules:\n" + (0..<count).map(Self.rule).joined()
            let ruled = yaml.replacingOccurrences(of: Self.place, with: Self.place + rules)
            guard ruled != yaml else { throw HarnessError("\(options.configuration) has no place for rules") }
            yaml = ruled
        }
        let configuration = "\(options.folder)/rules-\(count).yaml"
        try yaml.write(toFile: configuration, atomically: true, encoding: .utf8)
        let log = "\(options.folder)/measure-\(count).log"
        let child = try ChildProcess(
            name: "tillbridge", executable: "\(options.programs)/tillbridge",
            arguments: ["mapping", "measure", "--config", configuration, "--records", records],
            environment: ["TILLBRIDGE_RABBITMQ_URL": options.rabbitMQ, "TILLBRIDGE_DATABASE_URL": options.database],
            log: log)
        let status = await child.waitForExit()
        let output = try String(contentsOfFile: log, encoding: .utf8)
        guard status == 0, let answer = try? JSON(parsing: output) else {
            throw HarnessError("measuring the mapping ended with \(status): \(output)")
        }
        return answer
    }

    /// Of each kind that operators write, few of which hold.
    private static func rule(_ number: Int) -> String {
        let condition =
            switch number % 5 {
            case 0: "{product: \"Special \(number)\"}"
            case 1: "{category: \"Category \(number)\", amount: {over: 5}}"
            case 2: "{product: {begins: [\"Gift card \(number)\", \"Voucher \(number)\"]}}"
            case 3: "{product: {contains: \"brand \(number)\"}, amount: {over: 5}}"
            default: "{register: \"Functions \(number)\", weekday: weekend}"
            }
        return "      - {name: \"rule \(number)\", when: \(condition), set: {account: \"230\"}}\n"
    }
}
