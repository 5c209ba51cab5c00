import JSON

/// A call whose caller is known and may go on.
struct Visit: Sendable {
    let call: Call
    let caller: Caller
    /// The path's parts after the version, without `.json`.
    let parts: ArraySlice<String>
}

extension KountaModel {
    /// Answers one call, as the service would or as a fault demands.
    package func answer(_ call: Call) -> Answer {
        advance()
        if call.path.hasPrefix("/_control") { return control(call) }
        let (parts, hasSuffix) = Self.parts(of: call.path)
        counters.note(call.method + " " + Self.endpoint(parts), now: now)
        let fault = faults.hit(method: call.method, path: call.path)
        if fault != nil { counters.noteFault() }
        if let fault, fault.drop != .after, fault.drop == .before || fault.status != nil {
            var answer = Answer(fault.status ?? 503, body: fault.body)
            for (name, value) in fault.headers {
                answer.headers.removeAll { $0.name.lowercased() == name.lowercased() }
                answer.headers.append((name, value))
            }
            if fault.drop != nil { answer.delivery = .drop }
            answer.delayMilliseconds = fault.delayMilliseconds
            return answer
        }
        var answer = serve(call, parts, hasSuffix)
        answer.delayMilliseconds = fault?.delayMilliseconds ?? 0
        if fault?.drop == .after { answer.delivery = .drop }
        return answer
    }

    static func parts(of path: String) -> (parts: [String], hasSuffix: Bool) {
        var parts = path.split(separator: "/").map(String.init)
        var hasSuffix = false
        if let last = parts.last, last.hasSuffix(".json") {
            parts[parts.count - 1] = String(last.dropLast(5))
            hasSuffix = true
        }
        return (parts, hasSuffix)
    }

    /// The path with its ids left out, to count by.
    private static func endpoint(_ parts: [String]) -> String {
        "/" + parts.map { part in part.allSatisfy(\.isNumber) ? "{id}" : part }.joined(separator: "/")
    }

    private func serve(_ call: Call, _ parts: [String], _ hasSuffix: Bool) -> Answer {
        if parts == ["authorize"] { return authorize(call) }
        guard parts.first == "v1" else { return .notFound }
        if parts == ["v1", "token"] { return token(call) }
        let caller: Caller
        switch identify(call, parts) {
        case .success(let known): caller = known
        case .failure(let refusal): return refusal.answer
        }
        var company: Int64?
        if parts.count > 2, parts[1] == "companies", parts[2] != "me" {
            company = Int64(parts[2])
            guard let company, settings.companies.contains(where: { $0.id == company }) else { return .notFound }
            if let own = caller.company, own != company {
                return .error(403, "forbidden", "The client has no access to company \(company)")
            }
        }
        let key = "\(company ?? caller.company ?? 0)/\(caller.isBasic)/\(caller.client)"
        let verdict = gate.admit(key, isBasic: caller.isBasic, now: seconds)
        var answer: Answer
        if let verdict, verdict.isRefused {
            answer = limitExceeded(reset: verdict.reset)
        } else {
            answer = content(Visit(call: call, caller: caller, parts: parts.dropFirst()), hasSuffix)
        }
        if let verdict {
            answer.headers.append(("X-Ratelimit-Limit", String(verdict.limit)))
            answer.headers.append(("X-Ratelimit-Remaining", String(verdict.remaining)))
            answer.headers.append(("X-Ratelimit-Reset", String(verdict.reset)))
        }
        return answer
    }

    private func content(_ visit: Visit, _ hasSuffix: Bool) -> Answer {
        let headers = visit.call.headers
        guard hasSuffix || headers["accept"]?.contains("application/json") ?? false else {
            return .error(406, "not_acceptable", "Use the .json suffix or Accept: application/json")
        }
        if visit.call.method == "POST" || visit.call.method == "PUT" {
            guard headers["content-type"]?.hasPrefix("application/json") ?? false else {
                return .error(400, "bad_request", "Content-Type must be application/json")
            }
        }
        return route(visit)
    }

    private struct Refusal: Error {
        let answer: Answer
    }

    /// Who is calling, or the answer that sends them away.
    private func identify(_ call: Call, _ parts: [String]) -> Result<Caller, Refusal> {
        let given = call.headers["authorization"] ?? ""
        do throws(TokenOffice.Refusal) {
            if given.hasPrefix("Basic "), let (id, secret) = Base64.credentials(given.dropFirst(6)) {
                return .success(try office.basic(id, secret))
            }
            guard given.hasPrefix("Bearer ") else { throw TokenOffice.Refusal.unknown }
            return .success(try office.bearer(String(given.dropFirst(7)), now: seconds))
        } catch {
            counters.noteUnauthorised()
            // Asked for one record by its id, the service answers with nothing at all.
            if call.method == "GET", parts.count > 3, Int64(parts[parts.count - 1]) != nil {
                return .failure(Refusal(answer: Answer(401)))
            }
            guard error == .expired else {
                return .failure(Refusal(answer: .error(401, "unauthorized", "Authentication is required")))
            }
            // Both forms in which the service says it, by turns.
            let status = counters.unauthorised % 2 == 1 ? 401 : 400
            return .failure(Refusal(answer: .error(status, "invalid_token", "The access token provided has expired")))
        }
    }

    private func token(_ call: Call) -> Answer {
        guard call.method == "POST" else { return .error(405, "method_not_allowed", "Use POST") }
        var form: [String: String] = [:]
        if call.headers["content-type"]?.hasPrefix("application/json") ?? false {
            guard let body = try? JSON(parsing: call.body) else {
                return .error(400, "invalid_request", "The body is no JSON")
            }
            for (key, value) in body.members { form[key] = value.string ?? value.numberText }
        } else {
            for (name, value) in FormText.pairs(String(decoding: call.body, as: UTF8.self)) { form[name] = value }
        }
        return office.exchange(form, now: seconds)
    }

    /// The consent page, with the consent given: `company` in the query chooses the company, `deny=1` says no.
    private func authorize(_ call: Call) -> Answer {
        guard call.parameter("response_type") == "code", let target = call.parameter("redirect_uri") else {
            return .error(400, "invalid_request", "response_type=code and redirect_uri are needed")
        }
        var location = target + (target.contains("?") ? "&" : "?")
        if call.parameter("deny") == "1" {
            location += "error=access_denied"
        } else {
            location += "code=" + office.code(
                for: call.parameter("company").flatMap { Int64($0) }, client: call.parameter("client_id"),
                redirect: target, now: seconds)
        }
        if let state = call.parameter("state") { location += "&state=" + FormText.escaped(state) }
        var answer = Answer(302)
        answer.headers.append(("Location", location))
        return answer
    }
}
