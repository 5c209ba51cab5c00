import Bootstrap
import Crypto
import Domain
import Foundation
import JSON
import Logging
import Postgres
import Settings
import Store
import Testing

/// `tillbridge mapping set`, `unset` and `list` as people and machines see them; nobody maps meanwhile.
@Suite(
    "tillbridge mapping set", .enabled(if: ExampleFleet.databaseURL != nil, ExampleFleet.absence),
    .timeLimit(.minutes(2)))
struct MappingEditCommandTests {
    private struct World {
        let environment: [String: String]
        let store: PostgresStore

        static func with(_ work: (World) async throws -> Void) async throws {
            let schema = "mapping_\(UInt32.random(in: 0...UInt32.max))"
            let environment = [
                "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
                "TILLBRIDGE_DATABASE_URL": try #require(ExampleFleet.databaseURL),
                "TILLBRIDGE_DATABASE_SCHEMA": schema, "USER": "ana",
            ]
            let pool = try LiveDatabase.migrationPool(
                try ExampleFleet.settings(environment: environment),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let result: Result<Void, any Error>
            do {
                _ = try await Migrator(pool: pool, schema: schema).migrate()
                result = .success(
                    try await work(
                        World(environment: environment, store: PostgresStore(pool: pool, holder: "tests"))))
            } catch { result = .failure(error) }
            try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
            await pool.close()
            try result.get()
        }

        func run(_ arguments: String...) async throws -> Program.Ended {
            try await Program.run(
                "tillbridge", arguments + ["--config", ExampleFleet.file], environment: environment)
        }

        /// Without the wait for mappers, of which there are none.
        func set(_ arguments: String...) async throws -> Program.Ended {
            try await Program.run(
                "tillbridge",
                ["mapping", "set"] + arguments + ["--reason", "archived", "--no-wait", "--config", ExampleFleet.file],
                environment: environment)
        }
    }

    @Test("set, list and unset say what stands, who did it and why; the mapping as it was is taken up again")
    func people() async throws {
        try await World.with { world in
            let none = try await world.run("mapping", "list")
            #expect(none.status == 3 && none.output == "no value of the mapping is set over the file\n")
            let first = try await world.set("--organisation", "harbour", "account.230", "4010", "--by", "ben")
            #expect(first.output == "edit 1: harbour: account.230 is 4010\n", "\(first.output)\(first.errors)")
            let second = try await world.set("--venue", "hbr", "payment_methods.Cash", "251")
            #expect(second.output == "edit 2: Harbour Bistro: payment_methods.cash is 251\n", "\(second.output)")
            let third = try await world.set("--venue", "Harbour Bistro", "payment_methods.cash", "252")
            #expect(third.output == "edit 3: Harbour Bistro: payment_methods.cash is 252, was 251\n")
            let list = try await world.run("mapping", "list")
            let lines = list.lines.map { $0.split(separator: " ").joined(separator: " ") }
            #expect(list.status == 0 && lines.count == 3, "\(list.output)")
            #expect(lines[0] == "edit when organisation venue what value by why")
            #expect(lines[1].hasPrefix("1 20") && lines[1].hasSuffix("harbour all account.230 4010 ben archived"))
            #expect(lines[2].hasSuffix("harbour Harbour Bistro payment_methods.cash 252 ana archived"), "\(lines)")

            let unset = try await world.run(
                "mapping", "unset", "--organisation", "harbour", "account.230", "--reason", "restored", "--no-wait")
            #expect(unset.output == "edit 4: harbour: account.230 is what the file says, was 4010\n", "\(unset.errors)")
            let again = try await world.run(
                "mapping", "unset", "--organisation", "harbour", "account.230", "--reason", "restored")
            #expect(again.status == 3 && again.output == "nothing stands there that could be unset\n")
            #expect(try await world.run("mapping", "list").lines.count == 2)
            #expect(try await world.run("mapping", "list", "--history").lines.count == 5)
        }
    }

    @Test("for machines: JSON of an edit and of the list; a mapper that is not there is said on the other stream")
    func machines() async throws {
        try await World.with { world in
            let set = try await world.run(
                "mapping", "set", "--venue", "PIER", "accounts.tips", "826", "--reason", "own \"tips\"", "--json")
            #expect(set.status == 0 && set.errors.contains("no mapper has taken it over yet"), "\(set.errors)")
            let edit = try JSON(parsing: Array(set.output.utf8))
            #expect(edit["what"]?.string == "accounts.tips" && edit["value"]?.string == "826")
            #expect(edit["author"]?.string == "ana" && edit["reason"]?.string == "own \"tips\"")
            #expect(edit["company"]?.string == "harbour" && edit["site"]?.string == "985")
            #expect(edit["mapping"] == nil)
            let list = try await world.run("mapping", "list", "--json")
            #expect(list.output == set.output)
        }
    }

    @Test("what is not in order changes nothing and ends with 1, what is written wrong with 64", arguments: [
        (["--organisation", "harbour", "accounts.sales", "12345678901"], 1, "is no account code"),
        (["--organisation", "harbour", "accounts.sales", "230"], 1, "it says so already"),
        (["--organisation", "harbour", "account.9999", "230"], 1, "or has nothing of that name"),
        (["--organisation", "harbour", "rules.beer.account", "230"], 1, "there is no rule `beer`"),
        (["--organisation", "harbour", "accounts.sale", "230"], 64, "is nothing that can be set"),
        (["--organisation", "harbor", "accounts.sales", "231"], 64, "did you mean `harbour`?"),
        (["--venue", "Harbor Bistro", "accounts.sales", "231"], 64, "did you mean `Harbour Bistro`?"),
        (["--venue", "HBR", "account.230", "231"], 64, "is set for an organisation"),
        (["--organisation", "harbour", "tracking", "Pier"], 64, "is set for a venue"),
        (["accounts.sales", "231"], 64, "either --venue or --organisation"),
        (["--venue", "HBR", "accounts.sales", "231", "--dry-run"], 0, ""),
    ] as [([String], Int32, String)])
    func refused(_ arguments: [String], _ status: Int32, _ words: String) async throws {
        try await World.with { world in
            let ended = try await Program.run(
                "tillbridge",
                ["mapping", "set"] + arguments + ["--reason", "x", "--no-wait", "--config", ExampleFleet.file],
                environment: world.environment)
            #expect(ended.status == status, "\(ended.output)\(ended.errors)")
            #expect(words.isEmpty || ended.errors.contains(words), "\(ended.errors)")
            #expect(try await world.store.mappingEdits().through == 0)
        }
    }

    @Test("a letter is shown with the edits that its venue is booked by, and with no other's")
    func shown() async throws {
        try await World.with { world in
            func hash(_ text: String) throws -> ContentHash {
                try #require(ContentHash(bytes: Array(SHA256.hash(data: Array(text.utf8)))))
            }
            var letter = DeadLetter(
                identity: try hash("a"), occurrence: try hash("b"), queue: "tillbridge.dead",
                deadLetterClass: .archived, cause: "Account 230 is archived in Xero.", remedy: "Restore it.",
                fingerprint: "x", attempts: 0, headers: Array("{}".utf8), body: Array("{}".utf8),
                firstSeen: Instant(secondsSince1970: 1_795_600_000))
            (letter.organisation, letter.company) = (OrganisationKey("harbour"), CompanyKey("harbour"))
            letter.venue = "Harbour Bistro"
            _ = try await world.store.keep([letter])
            _ = try await world.set("--organisation", "harbour", "account.230", "4010", "--by", "ben")
            _ = try await world.set("--venue", "HBR", "accounts.tips", "826", "--by", "cleo")
            _ = try await world.set("--venue", "PIER", "accounts.tips", "827")
            _ = try await world.set("--organisation", "lakeside", "accounts.tips", "828")
            let show = try await world.run("dead-letters", "show", "1").output
            #expect(show.contains("Set in the mapping:\n"), "\(show)")
            #expect(show.contains("harbour: account.230 is 4010, by ben: archived\n"), "\(show)")
            #expect(show.contains("Harbour Bistro: accounts.tips is 826, by cleo: archived\n"), "\(show)")
            #expect(!show.contains("827") && !show.contains("828"), "\(show)")
            let json = try await world.run("dead-letters", "show", "1", "--json").output
            let edits = try JSON(parsing: Array(json.utf8))["mapping_edits"]?.elements ?? []
            #expect(edits.compactMap { $0["author"]?.string } == ["ben", "cleo"], "\(json)")
        }
    }
}
