#include "base/error.hpp"

namespace fota {

std::string_view errc_name(Errc code) noexcept {
    switch (code) {
        case Errc::internal:
            return "internal";
        case Errc::usage:
            return "usage";
        case Errc::file_unreadable:
            return "file-unreadable";
        case Errc::file_unwritable:
            return "file-unwritable";
        case Errc::config_invalid:
            return "config-invalid";
        case Errc::image_malformed:
            return "image-malformed";
        case Errc::image_rejected:
            return "image-rejected";
        case Errc::signature_invalid:
            return "signature-invalid";
        case Errc::key_mismatch:
            return "key-mismatch";
        case Errc::key_unusable:
            return "key-unusable";
        case Errc::image_too_large:
            return "image-too-large";
        case Errc::policy_refused:
            return "policy-refused";
        case Errc::downgrade_refused:
            return "downgrade-refused";
        case Errc::board_mismatch:
            return "board-mismatch";
        case Errc::layout_failed:
            return "layout-failed";
        case Errc::address_in_use:
            return "address-in-use";
        case Errc::address_unusable:
            return "address-unusable";
        case Errc::device_absent:
            return "device-absent";
        case Errc::port_unavailable:
            return "port-unavailable";
        case Errc::timed_out:
            return "timed-out";
        case Errc::peer_gone:
            return "peer-gone";
        case Errc::message_malformed:
            return "message-malformed";
        case Errc::transfer_failed:
            return "transfer-failed";
        case Errc::transfer_stalled:
            return "transfer-stalled";
        case Errc::device_refused:
            return "device-refused";
        case Errc::device_did_not_apply:
            return "device-did-not-apply";
        case Errc::not_proven:
            return "not-proven";
        case Errc::rolled_back:
            return "rolled-back";
        case Errc::deferred:
            return "deferred";
        case Errc::credentials_unusable:
            return "credentials-unusable";
        case Errc::authentication_failed:
            return "authentication-failed";
        case Errc::store_failed:
            return "store-failed";
        case Errc::store_locked:
            return "store-locked";
        case Errc::interrupted:
            return "interrupted";
        case Errc::terminated:
            return "terminated";
        case Errc::cancelled:
            return "cancelled";
    }
    return "internal";
}

std::string Error::text() const {
    std::string out;
    for (auto it = context_.rbegin(); it != context_.rend(); ++it) out += *it + ": ";
    return out + message_;
}

}  // namespace fota
