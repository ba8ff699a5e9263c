#include "cli/hex_files.hpp"

#include "image/hex.hpp"

namespace fota::cli {

Result<HexData> read_hex_file(const std::string& path, bool may_be_empty) {
    const auto about = [&](Error error) { return fail(std::move(error).with("file", path).in(shown_path(path))); };
    image::HexReader reader;
    TRY_VOID(read_pieces(path, image_file_limit, [&](BytesView piece, std::uint64_t size) -> Result<> {
        reader.expect(size);
        auto taken = reader.feed(piece);
        if (!taken) return about(std::move(taken.error()));
        return {};
    }));
    const auto flatten = [&]() -> Result<HexData> {
        TRY(auto file, reader.finish(may_be_empty));
        const auto address = file.first_address();
        TRY(auto bytes, std::move(file).flat(0xff, image_file_limit));
        return HexData{std::move(bytes), address};
    };
    auto out = flatten();
    if (!out) return about(std::move(out.error()));
    return out;
}

Result<> write_hex_image(const image::Built& built, const image::SignOptions& options, std::uint32_t address,
                         const Sink& sink) {
    return image::write_hex(built, options, address, [&](std::string_view text) { return sink(as_bytes(text)); });
}

}  // namespace fota::cli
