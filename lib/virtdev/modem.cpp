#include "virtdev/modem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/sha256.hpp"

namespace fota::virtdev {

using enum ModemQuirk;

namespace {

constexpr Milliseconds answer_time{20};
constexpr std::string_view prompt = "\x1b[1;32muart:~$ \x1b[m";
constexpr std::string_view log_line = "[00:00:12.345,678] \x1b[0m<inf> app: 17 samples sent\x1b[0m\r\n";
/// A PKCS#10 request for a P-256 key made for this purpose, as %KEYGEN gives it; the key is nobody's any more.
constexpr std::string_view signing_request =
    "MIHTMHwCAQAwGjEYMBYGA1UEAwwPMzUxMzU4ODExMzMxMzUxMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErKuKlESRkpwzFi_"
    "evE7rlPQq6KRY1wVl"
    "r3YiDOUAAha3xU0X2UTnNNmiLPQ-V-NFpfm734wzZCkzDknK_wMXB6AAMAoGCCqGSM49BAMCA0cAMEQCIBoeA1pyKFk-YfJsVCvzvNhDI-veHbfrX_"
    "oj"
    "SpzSvKztAiBV9CKKAxIBzZ1OTrluGRj7lXWX9pGIXZejqpUgqDN1YA";
constexpr std::string_view attestation = "0oRDoQEmoQRBIVhL2dn3";

std::string with_ok(std::string_view text) {
    return fmt::format("{}\r\nOK\r\n", text);
}

/// Takes a decimal number and the comma behind it off `rest`.
template <class Number>
std::optional<Number> take_number(std::string_view& rest) {
    Number value{};
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{}) return std::nullopt;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    if (rest.starts_with(',')) rest.remove_prefix(1);
    return value;
}

}  // namespace

std::string Modem::error(int cme) const {
    return numeric_errors_ ? fmt::format("+CME ERROR: {}\r\n", cme) : "ERROR\r\n";
}

std::vector<Modem::Output> Modem::feed(BytesView bytes) {
    std::vector<Output> out;
    if (deaf_ || has(silent)) return out;
    const bool in_shell = has(shell) || has(narrow_shell) || has(no_at_in_shell);
    if (has(garbage_first) && !greeted_) out.push_back({Milliseconds{5}, "pp: 3 sen\x01\xff\xfe~\r\n\x1b[0m"});
    greeted_ = true;
    for (const auto byte : bytes) {
        const char each = static_cast<char>(byte);
        if (in_shell) {
            if (each == '\n') continue;
            if (each != '\r') {
                input_ += each;
                continue;
            }
            shell_line(std::exchange(input_, {}), out);
            continue;
        }
        bool ends = false;
        if (!in_quotes_) {
            if (has(cr_line_ends))
                ends = each == '\r';
            else if (has(lf_line_ends))
                ends = each == '\n';
            else if (has(nul_line_ends))
                ends = each == '\0';
            else
                ends = each == '\n' && input_.ends_with('\r');
        }
        if (!ends) {
            if (each == '"') in_quotes_ = !in_quotes_;
            if (input_.size() < 4096) input_ += each;
            continue;
        }
        auto text = std::exchange(input_, {});
        if (text.ends_with('\r')) text.pop_back();
        if (has(echo)) out.push_back({Milliseconds{1}, text + "\r\n"});
        if (!text.empty()) command(std::move(text), out);
        if (deaf_) break;
    }
    return out;
}

void Modem::shell_line(std::string text, std::vector<Output>& out) {
    std::string shown = text;
    if (has(narrow_shell))
        for (std::size_t at = 70; at < shown.size(); at += 82) shown.insert(at, "\r\n");
    out.push_back({Milliseconds{1}, shown + "\r\n"});
    const auto say_prompt = [&] { out.push_back({Milliseconds{1}, std::string(prompt)}); };
    if (text.empty()) return say_prompt();
    const auto word = text.substr(0, text.find(' '));
    if (word != "at" || has(no_at_in_shell)) {
        out.push_back({Milliseconds{1}, fmt::format("\x1b[1;31m{}: command not found\r\n\x1b[m", word)});
        return say_prompt();
    }
    std::string argument;
    char quote = '\0';
    for (const char each : std::string_view(text).substr(std::min<std::size_t>(text.size(), 3))) {
        if (quote == '\0' && each == ' ') break;
        if (quote == '\0' && (each == '\'' || each == '"'))
            quote = each;
        else if (each == quote)
            quote = '\0';
        else
            argument += each;
    }
    if (argument.starts_with("AT%CMNG"))
        for (auto at = argument.find("\\n"); at != std::string::npos; at = argument.find("\\n", at))
            argument.replace(at, 2, "\r\n");
    command(std::move(argument), out);
    if (!deaf_) say_prompt();
}

void Modem::command(std::string text, std::vector<Output>& out) {
    commands_.push_back(text.substr(0, text.find('"')));
    if (has(log_lines)) out.push_back({Milliseconds{1}, std::string(log_line)});
    if (has(unsolicited)) out.push_back({Milliseconds{1}, "+CEREG: 2,\"8169\",\"0149FB00\",7\r\n%XSIM: 1\r\n"});
    auto after = answer_time;
    auto answer = carry_out(text, after);
    if (!deaf_) out.push_back({after, std::move(answer)});
    if (has(unsolicited) && !deaf_) out.push_back({Milliseconds{1}, "%MDMEV: SEARCH STATUS 2\r\n"});
}

std::string Modem::carry_out(const std::string& text, Milliseconds& after) {
    if (text == "AT") return "OK\r\n";
    if (text == "AT+CMEE=1") {
        if (has(no_numeric_errors)) return "ERROR\r\n";
        numeric_errors_ = true;
        return "OK\r\n";
    }
    if (text == "AT+CGSN") return with_ok(config_.imei);
    if (text == "AT+CGMM") return with_ok(config_.model);
    if (text == "AT+CGMR") return with_ok(config_.firmware);
    if (text == "AT%HWVERSION") return with_ok("%HWVERSION: " + config_.hardware);
    if (text == "AT%XICCID") return has(no_sim) ? error(10) : with_ok("%XICCID: " + config_.iccid);
    if (text == "AT+CFUN?") return with_ok(fmt::format("+CFUN: {}", functionality_));
    if (text.starts_with("AT+CFUN=")) {
        std::string_view rest = text;
        rest.remove_prefix(8);
        const auto mode = take_number<int>(rest);
        if (!mode || (*mode == 4 && has(refuses_offline)) || (*mode == 1 && has(refuses_restore))) return error(3);
        if (*mode == 4 && has(slow_offline)) after = Milliseconds{20'000};
        functionality_ = *mode;
        return "OK\r\n";
    }
    if (text == "AT%ATTESTTOKEN") return with_ok(fmt::format("%ATTESTTOKEN: \"{}\"", attestation));
    if (text.starts_with("AT%CMNG=")) return credentials(text);
    if (text.starts_with("AT%KEYGEN=") && !has(no_keygen)) return key_pair(text);
    return "ERROR\r\n";
}

std::string Modem::credentials(const std::string& text) {
    std::string_view rest = text;
    rest.remove_prefix(8);
    const auto operation = take_number<int>(rest);
    if (operation == 1) {
        if (has(no_list)) return error(514);
        std::string list;
        for (const auto& [key, content] : store) {
            auto digest = to_hex(sha256(as_bytes(content)));
            std::ranges::transform(digest, digest.begin(),
                                   [](char c) { return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c; });
            list += fmt::format("%CMNG: {},{}{}\r\n", key.first, key.second,
                                has(no_digests) ? "" : fmt::format(",\"{}\"", digest));
        }
        return list + "OK\r\n";
    }
    const auto tag = take_number<std::uint32_t>(rest);
    const auto type = take_number<int>(rest);
    if (!operation || !tag || !type) return error(50);
    if (functionality_ != 0 && functionality_ != 4) return error(518);
    if (operation == 3) return store.erase({*tag, *type}) == 1 ? "OK\r\n" : error(513);
    if (operation != 0 || rest.size() < 2 || rest.front() != '"' || rest.back() != '"') return error(50);
    return write(*tag, *type, std::string(rest.substr(1, rest.size() - 2)));
}

std::string Modem::write(std::uint32_t tag, int type, std::string content) {
    ++writes_;
    if (has(low_voltage)) return error(528);
    if (config_.quirks.refuse_writes) return error(*config_.quirks.refuse_writes);
    if (has(store_full) && writes_ > 1) return error(515);
    if (has(restarts_in_write) && writes_ == 2) {
        functionality_ = config_.functionality;
        numeric_errors_ = false;
        return "*** Booting nRF Connect SDK v3.1.0 ***\r\n";
    }
    if (has(deaf_in_write) && writes_ == 2) {
        deaf_ = true;
        return {};
    }
    if (store.contains({tag, type}) && !has(overwrites)) return error(519);
    if (type == 3 && (content.size() % 2 != 0 || !from_hex(content))) return error(527);
    if (type <= 2 && !content.starts_with("-----BEGIN ")) return error(527);
    if (has(corrupts) && type == 3) content.back() = content.back() == '0' ? '1' : '0';
    store[{tag, type}] = std::move(content);
    return "OK\r\n";
}

std::string Modem::key_pair(const std::string& text) {
    std::string_view rest = text;
    rest.remove_prefix(10);
    const auto tag = take_number<std::uint32_t>(rest);
    if (!tag || !rest.starts_with("2,0")) return error(50);
    if (functionality_ != 0 && functionality_ != 4) return error(518);
    if (store.contains({*tag, 2})) return error(519);
    store[{*tag, 2}] = "a private key that never leaves the modem";
    return with_ok(fmt::format("%KEYGEN: \"{}.{}\"", signing_request, attestation));
}

}  // namespace fota::virtdev
