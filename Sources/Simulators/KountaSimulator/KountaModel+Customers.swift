import JSON

extension KountaModel {
    func customers(_ visit: Visit, _ company: Int64, _ rest: ArraySlice<String>) -> Answer {
        guard let id = rest.first else {
            return visit.call.method == "POST" ? createCustomer(visit, company) : lookUp(visit, company)
        }
        guard rest.count == 1, let customer = Int64(id).flatMap({ customers.byID[$0] }), customer.company == company
        else { return .notFound }
        if visit.call.method == "PUT" {
            guard let record = try? JSON(parsing: visit.call.body), record.kind == .object else {
                return .error(400, "invalid_request", "The body is no JSON object")
            }
            customers.change(customer.id, by: record, isWhole: settings.putsReplace)
        }
        var writer = JSONWriter()
        (customers.byID[customer.id] ?? customer).writeDetail(&writer, now: seconds)
        return Answer(200, body: writer.bytes)
    }

    private func createCustomer(_ visit: Visit, _ company: Int64) -> Answer {
        guard let record = try? JSON(parsing: visit.call.body), record.kind == .object else {
            return .error(400, "invalid_request", "The body is no JSON object")
        }
        let id = customers.create(in: company, from: record)
        var answer = Answer(201)
        answer.headers.append(("Location", "\(visit.call.origin)/v1/companies/\(company)/customers/\(id).json"))
        return answer
    }

    /// The list; or by e-mail a redirection to the record, or by reference an array.
    private func lookUp(_ visit: Visit, _ company: Int64) -> Answer {
        let all = customers.all(of: company)
        if let email = visit.call.parameter("email") {
            let wanted = email.lowercased()
            guard let found = all.first(where: { $0.email.lowercased() == wanted }) else { return .notFound }
            var answer = Answer(302)
            answer.headers.append(
                ("Location", "\(visit.call.origin)/v1/companies/\(company)/customers/\(found.id).json"))
            return answer
        }
        let reference = visit.call.parameter("reference_id")
        return list(visit, all.filter { reference == nil || $0.referenceID == reference }.map { customer in
            var writer = JSONWriter()
            customer.writeRow(&writer)
            return writer.bytes
        })
    }

    func webhooks(_ visit: Visit, _ company: Int64, _ rest: ArraySlice<String>) -> Answer {
        let own = hooks.hooks.filter { $0.company == company }
        func body(_ hook: HookRegister.Hook) -> [UInt8] {
            var writer = JSONWriter()
            hook.write(&writer)
            return writer.bytes
        }
        if let id = rest.first {
            guard rest.count == 1, let hook = own.first(where: { String($0.id) == id }) else { return .notFound }
            if visit.call.method == "DELETE" {
                hooks.remove(hook.id)
                return Answer(204)
            }
            return Answer(200, body: body(hook))
        }
        guard visit.call.method == "POST" else { return list(visit, own.map(body)) }
        do {
            let secret = office.secret(ofClient: visit.caller.client) ?? visit.caller.client
            let hook = try hooks.register(
                try JSON(parsing: visit.call.body), company: company, secret: secret, now: seconds)
            var answer = Answer(201, body: body(hook))
            answer.headers.append(
                ("Location", "\(visit.call.origin)/v1/companies/\(company)/webhooks/\(hook.id).json"))
            return answer
        } catch {
            return .error(400, "invalid_request", "\(error)")
        }
    }

    // MARK: reconciliations

    /// The takings of each finished day of a venue, newest first: `[/unprocessed][/since/{date}]`. Where they are held,
    /// those of counted days. Before them what was written as it is, which nobody marks as processed.
    func reconciliations(_ visit: Visit, _ sites: [SimulatedSite], _ rest: [String]) -> Answer {
        var rest = rest
        var since = Int64.min
        let onlyUnprocessed = rest.first == "unprocessed"
        if onlyUnprocessed { rest.removeFirst() }
        if rest.count == 2, rest[0] == "since" {
            guard let date = SydneyClock.parse(rest[1]) else {
                return .error(400, "invalid_request", "The date cannot be read")
            }
            since = date / 86_400
            rest = []
        }
        guard rest.isEmpty else { return .notFound }
        let today = (seconds + SydneyClock.offset(at: seconds)) / 86_400
        let days = book.takings.keys.filter { day in
            let isThere = settings.holdsTakings ? book.takings[day]?.isCounted == true : day.day < today
            return isThere && day.day >= since && sites.contains { $0.id == day.site }
                && !(onlyUnprocessed && processed[day] != nil)
        }
        let written = counts.filter { _, count in
            count.day >= since && sites.contains { $0.id == count.site }
        }.sorted { ($0.value.day, $0.key) > ($1.value.day, $1.key) }.map(\.value.body)
        return list(visit, written + days.sorted(by: >).map { record(of: $0, sites) })
    }

    /// `PUT [/sites/{s}]/reconciliations/{id}`: nothing but `processed` can be written.
    func markProcessed(_ visit: Visit, _ sites: [SimulatedSite], _ rest: [String]) -> Answer {
        guard rest.count == 1, let id = Int64(rest[0]),
            let day = book.takings.keys.first(where: { KountaRecords.id(of: $0) == id }),
            sites.contains(where: { $0.id == day.site })
        else { return .notFound }
        guard let body = try? JSON(parsing: visit.call.body), body["processed"]?.bool == true else {
            return .error(400, "invalid_request", "processed must be true")
        }
        processed[day, default: 0] += 1
        return Answer(200, body: record(of: day, sites))
    }

    private func record(of day: TradeBook.TradingDay, _ sites: [SimulatedSite]) -> [UInt8] {
        KountaRecords.takings(
            book.takings[day] ?? .init(), of: day, at: sites.first { $0.id == day.site },
            isProcessed: processed[day] != nil)
    }

    /// What clients have written, how often, for those who test one: `/_control/written`.
    func writtenReport() -> [UInt8] {
        Answer.json { writer in
            writer.key("customers")
            writer.array { writer in
                let known = customers.byID.values.filter { $0.puts > 0 || $0.referenceID != nil }
                for customer in known.sorted(by: { $0.id < $1.id }) {
                    writer.object { writer in
                        writer.field("id", customer.id)
                        writer.key("reference_id")
                        if let reference = customer.referenceID { writer.string(reference) } else { writer.null() }
                        writer.field("first_name", customer.firstName)
                        writer.field("puts", customer.puts)
                    }
                }
            }
            writer.key("takings")
            writer.array { writer in
                for (day, puts) in processed.sorted(by: { $0.key < $1.key }) {
                    writer.object { writer in
                        writer.field("id", KountaRecords.id(of: day))
                        writer.field("site", day.site)
                        writer.field("puts", puts)
                    }
                }
            }
        }
    }
}
