from .encryption import has_encryption as has_encryption, is_encrypted as is_encrypted
