// What a modem, the firmware in front of it, or noise may send: framing in any cut, and every parser of answers.
#include <algorithm>
#include <cstdint>
#include <optional>

#include "modem/cme.hpp"
#include "modem/commands.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const modem::Dialect dialect{(data[0] & 1) != 0 ? modem::Access::shell : modem::Access::at, modem::LineEnd::crlf};
    const std::size_t cut = data[1] % 16 + 1u;
    const auto command = (data[0] & 2) != 0 ? modem::list_credentials() : modem::plain("AT%KEYGEN=7,2,0,\"CN=a\"");
    modem::AnswerReader reader(command, dialect);
    std::optional<modem::Answer> answer;
    for (BytesView rest(data + 2, size - 2); !rest.empty() && !answer;) {
        const auto chunk = rest.first(std::min(cut, rest.size()));
        answer = reader.feed(chunk);
        rest = rest.subspan(chunk.size());
    }
    if (!answer) return 0;
    (void)modem::expect_ok(*answer, "answer");
    (void)modem::parse_imei(*answer);
    (void)modem::parse_iccid(*answer);
    if (const auto text = modem::parse_text(*answer, "its firmware")) (void)modem::firmware_version(*text);
    (void)modem::parse_functionality(*answer);
    (void)modem::parse_generated_key(*answer);
    if (const auto list = modem::parse_credentials(*answer))
        for (const auto& entry : *list) (void)modem::type_text(entry.type);
    return 0;
}
